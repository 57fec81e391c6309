import { type Clock, type Digest, FederationError } from '@consilium/shared/kernel';
import type { AgentJournal, ParticipationRecord } from './agent-journal.js';
import { type PrivacyLimits, privacyRefusal } from './judge-privacy.js';

/**
 * Notes what a finished update spends, before it may leave. Under a plan without privacy there is nothing to note. Training was
 * judged when it was accepted; but where an update of this participation was made before and this one differs (its file was lost,
 * say, on a machine that does not repeat itself), it is one release more, and PRIVACY_BUDGET_SPENT is thrown when that is too much.
 */
export function notePrivacy(
  { clock, journal }: { readonly clock: Clock; readonly journal: Pick<AgentJournal, 'privacy'> },
  { participationId, plan }: Pick<ParticipationRecord, 'participationId' | 'plan'>,
  digest: Digest,
  limits: PrivacyLimits,
): void {
  if (plan.privacy === undefined) return;
  const records = journal.privacy.records();
  if (records.some((known) => known.participationId === participationId && known.updateDigest === digest)) return;
  const refusal = privacyRefusal(plan, records, limits);
  if (refusal !== undefined) {
    throw new FederationError(refusal, 'the update would spend more of the site’s privacy than its settings allow', {
      remedy: 'See "site-agent privacy" for what was spent.',
    });
  }
  journal.privacy.spend(participationId, plan, digest, clock.nowMs());
}
