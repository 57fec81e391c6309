import { readFileSync, statSync } from 'node:fs';
import { type Digest, digestOfBytes, errnoOf, FederationError } from '@consilium/shared/kernel';
import { parsePolicy, type SitePolicy } from './site-policy.js';

/** The policy as it stands now. */
export type PolicyState =
  /** There is no file: all is allowed. */
  | { readonly kind: 'none' }
  | { readonly kind: 'in-force'; readonly policy: SitePolicy; readonly digest: Digest }
  /** The file does not read: nothing is allowed until it does. */
  | { readonly kind: 'broken'; readonly error: FederationError; readonly digest: Digest | undefined };

/** Where the policy comes from; the same state, the same object, until it changes. */
export interface PolicySource {
  read(): PolicyState;
}

export const NO_POLICY: PolicyState = { kind: 'none' };

/** A site without a policy. */
export const noPolicy: PolicySource = { read: () => NO_POLICY };

/** Reads the policy file anew whenever it may have changed. */
export class PolicyFile implements PolicySource {
  private stamp: string | undefined;
  private state: PolicyState = NO_POLICY;

  /** @param mustExist a setting names the file: without it nothing is allowed */
  constructor(
    private readonly path: string,
    private readonly mustExist: boolean,
  ) {}

  read(): PolicyState {
    const stamp = this.look();
    if (stamp !== this.stamp) {
      this.state = this.readAnew();
      this.stamp = stamp;
    }
    return this.state;
  }

  /** What differs when the file is another one or was changed; also when it is put back with an old date. */
  private look(): string {
    try {
      const { ino, size, mtimeNs, ctimeNs } = statSync(this.path, { bigint: true });
      return [ino, size, mtimeNs, ctimeNs].join(' ');
    } catch (thrown) {
      return errnoOf(thrown) ?? 'unreadable';
    }
  }

  private readAnew(): PolicyState {
    let text: string;
    try {
      text = readFileSync(this.path, 'utf8');
    } catch (cause) {
      const isMissing = errnoOf(cause) === 'ENOENT';
      if (isMissing && !this.mustExist) return NO_POLICY;
      const error = new FederationError(
        'CONFIG_INVALID',
        isMissing ? 'the policy file is not there' : 'the policy file cannot be read',
        {
          cause,
          remedy: `Put it back at ${this.path}, or take the setting "policy" out of site.yaml.`,
        },
      );
      return { kind: 'broken', error, digest: undefined };
    }
    const digest = digestOfBytes(text);
    try {
      return { kind: 'in-force', policy: parsePolicy(text), digest };
    } catch (thrown) {
      return { kind: 'broken', error: FederationError.from(thrown), digest };
    }
  }
}
