import { type Digest, shortDigest } from '@consilium/shared/kernel';
import type { SiteAudit } from '../audit/site-audit.js';
import type { PolicyState } from './policy-file.js';
import { type PolicyRule, rulesOf } from './site-policy.js';

/** The policy as the status page shows it. */
export interface PolicyView {
  readonly kind: PolicyState['kind'];
  readonly digest: Digest | null;
  readonly rules: readonly PolicyRule[];
  /** Why the file cannot be read; null where it can. */
  readonly reason: string | null;
}

export function policyView(state: PolicyState): PolicyView {
  switch (state.kind) {
    case 'none':
      return { kind: 'none', digest: null, rules: [], reason: null };
    case 'in-force':
      return { kind: 'in-force', digest: state.digest, rules: rulesOf(state.policy), reason: null };
    case 'broken':
      return { kind: 'broken', digest: state.digest ?? null, rules: [], reason: state.error.message };
  }
}

/** On one line. */
export function describePolicy({ kind, digest, rules, reason }: PolicyView): string {
  if (kind === 'none') return 'none: every plan is allowed';
  const name = digest === null ? '' : ` (${shortDigest(digest)})`;
  if (kind === 'broken') return `cannot be read${name}, so nothing is allowed: ${reason}`;
  return rules.length === 0 ? `in force${name}, without a rule` : `in force${name}: ${rules.join(', ')}`;
}

/** In the site's log: which policy held from here on. */
export function notePolicy(audit: SiteAudit, { kind, digest, rules }: PolicyView): void {
  audit.note('policy', { state: kind, digest, has: [...rules] });
}
