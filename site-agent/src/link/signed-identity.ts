import { FederationError } from '@consilium/shared/kernel';
import { PROOF_HEADER, PROOF_SCHEME, type SigningKey, signProof } from '@consilium/shared/identity';
import { type CredentialAnswer, SOCKET_PATH } from '@consilium/shared/wire';
import { coordinatorAddress } from './coordinator-address.js';
import { requestCredential } from './credential-request.js';
import type { OutgoingLine } from './outgoing-line.js';
import { BearerIdentity, type Lack, type RequestIdentity } from './request-identity.js';

export interface SignedIdentityOptions {
  readonly coordinatorUrl: string;
  readonly key: SigningKey;
  readonly line?: OutgoingLine | undefined;
  /** A key whose taking the other's place was interrupted: the coordinator may know it already. */
  readonly other?: { readonly key: SigningKey; readonly onTaken: () => void } | undefined;
  /** The credential of an earlier enrolment, for which the key is traded in: once it is, it is void. */
  readonly bearer?: string | undefined;
  /** The key has taken the bearer credential's place. */
  readonly onTraded?: () => void;
  /** Told the name of the key that the coordinator signs with, at each renewal. */
  readonly onCoordinatorKey?: ((thumbprint: string) => void) | undefined;
  /** Time that only goes forward. */
  readonly elapsedMs?: () => number;
}

interface HeldCredential {
  readonly text: string;
  readonly lifeMs: number;
  /** Half its life is over. */
  readonly renewAtMs: number;
}

const LONGEST_PAUSE_MS = 15_000;
const SHORTEST_PAUSE_MS = 200;

/**
 * A site that signs each request with its own key. The credential that the key is bound to lives in memory only and is renewed at half
 * its life, counted from its arrival by time that only goes forward: the clocks of site and coordinator need not agree.
 */
export class SignedIdentity implements RequestIdentity {
  nonce: string | undefined;
  private key: SigningKey;
  private held: HeldCredential | undefined;
  private renewing: Promise<string> | undefined;
  /** Of a coordinator that knows no keys yet: then the bearer credential is used on. */
  private earlier: BearerIdentity | undefined;
  private readonly elapsedMs: () => number;

  constructor(private readonly options: SignedIdentityOptions) {
    this.key = options.key;
    this.elapsedMs = options.elapsedMs ?? (() => performance.now());
  }

  async headers(method: string, url: string): Promise<Record<string, string>> {
    const credential = await this.credential();
    if (this.earlier !== undefined) return this.earlier.headers();
    return { authorization: `${PROOF_SCHEME} ${credential}`, [PROOF_HEADER]: await this.proof(method, url, credential) };
  }

  async handshake(): Promise<{ credential: string; proof?: string }> {
    const credential = await this.credential();
    if (this.earlier !== undefined) return { credential };
    const url = coordinatorAddress(this.options.coordinatorUrl, SOCKET_PATH);
    return { credential, proof: await this.proof('GET', url, credential) };
  }

  heardNonce(nonce: string): void {
    this.nonce = nonce;
  }

  cure(lack: Lack): boolean {
    if (lack === 'credential') this.held = undefined;
    return this.earlier === undefined;
  }

  keep(): () => void {
    let timer: NodeJS.Timeout | undefined;
    let isOver = false;
    const look = async (): Promise<void> => {
      // A refusal is told by the request that meets it; here it is only tried again.
      await this.credential().catch(() => undefined);
      if (!isOver && this.earlier === undefined) timer = setTimeout(() => void look(), this.pauseMs());
    };
    void look();
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }

  /** Until the next renewal is due, or tried again. */
  private pauseMs(): number {
    const { lifeMs = LONGEST_PAUSE_MS, renewAtMs = 0 } = this.held ?? {};
    const again = Math.max(SHORTEST_PAUSE_MS, Math.min(lifeMs / 16, LONGEST_PAUSE_MS));
    return Math.max(again, Math.min(renewAtMs - this.elapsedMs(), 2 ** 31 - 1));
  }

  /** One renewal serves all who wait for it. */
  private async credential(): Promise<string> {
    const { held } = this;
    if (held !== undefined && this.elapsedMs() < held.renewAtMs) return held.text;
    this.renewing ??= this.renew().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  private async renew(): Promise<string> {
    const { bearer } = this.options;
    const answer = await this.askForCredential(bearer);
    if (answer === undefined) {
      this.earlier = new BearerIdentity(bearer ?? '');
      return bearer ?? '';
    }
    this.keepCredential(answer);
    if (bearer !== undefined) this.options.onTraded?.();
    return answer.credential;
  }

  /** What an enrolment or a renewal gave. */
  private keepCredential({ credential, expiresInMs, coordinatorKey }: CredentialAnswer): void {
    if (coordinatorKey !== undefined) this.options.onCoordinatorKey?.(coordinatorKey);
    this.held = { text: credential, lifeMs: expiresInMs, renewAtMs: this.elapsedMs() + expiresInMs / 2 };
  }

  /**
   * Of a coordinator that has replaced the key before this end could note it, the other key is the one that counts. Undefined from one
   * that knows no keys, as long as there is a bearer credential to use instead.
   */
  private async askForCredential(bearer: string | undefined): Promise<CredentialAnswer | undefined> {
    const { coordinatorUrl, line, other } = this.options;
    const ask = () => requestCredential({ coordinatorUrl, line, key: this.key, bearer, nonces: this });
    try {
      return await ask();
    } catch (thrown) {
      if (other === undefined || this.key === other.key || FederationError.from(thrown).code !== 'CREDENTIAL_REFUSED')
        throw thrown;
      const before = this.key;
      this.key = other.key;
      const answer = await ask().catch(() => {
        this.key = before;
        throw thrown;
      });
      other.onTaken();
      return answer;
    }
  }

  private proof(method: string, url: string, secret: string | undefined): Promise<string> {
    return signProof(this.key, { method, url, secret, nonce: this.nonce });
  }
}
