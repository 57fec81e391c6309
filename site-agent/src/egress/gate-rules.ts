import { FederationError } from '@consilium/shared/kernel';
import type { Log } from '@consilium/shared/terminal';
import type { RoundPlan, ScorePlan } from '@consilium/shared/wire';
import type { AgentJournal, ParticipationRecord, ReadyUpdate } from '../agent/agent-journal.js';
import type { SiteAudit } from '../audit/site-audit.js';
import type { PolicyDesk } from '../policy/policy-desk.js';

/** What the gate decides by: what the agent has noted, and the site's rules. */
export interface GateParts {
  readonly journal: Pick<AgentJournal, 'participation' | 'score'>;
  readonly policy: PolicyDesk;
  readonly audit: SiteAudit;
  readonly log: Log;
}

/** A participation whose update is ready. */
export type ReadyRecord = ParticipationRecord & { readonly update: ReadyUpdate };

/** EGRESS_REFUSED unless the agent has noted a ready update for this part in a round. */
export function requireReady({ journal }: GateParts, participationId: string): ReadyRecord {
  const record = journal.participation(participationId);
  if (record?.update !== undefined) return { ...record, update: record.update };
  throw new FederationError('EGRESS_REFUSED', 'an update does not leave this site: nothing was trained for this part in a round');
}

/** POLICY_REFUSED unless the site's policy, as it is at this moment, allows the plan; retryable while the policy does not read. */
export function requirePolicy({ policy }: GateParts, plan: RoundPlan | ScorePlan): void {
  const verdict = policy.judge(plan);
  if (verdict.kind === 'allowed') return;
  const why =
    verdict.kind === 'unreadable'
      ? verdict.why
      : verdict.findings
          .filter(({ allowed }) => !allowed)
          .map(({ rule, why: words }) => `${rule}: ${words}`)
          .join('; ');
  throw new FederationError('POLICY_REFUSED', `this site’s policy lets nothing of ${plan.campaignName} out: ${why}`, {
    retryable: verdict.kind === 'unreadable',
  });
}

/** What was refused is said at the site, in words and as an entry of its log; then thrown on. */
export async function sayingRefusals<T>(
  { audit, log }: GateParts,
  about: { readonly campaign?: string; readonly round?: number },
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof FederationError && thrown.code === 'EGRESS_REFUSED') {
      log.error(`nothing was sent. ${thrown.message}`);
      audit.note('egress-refused', { ...about });
      audit.flush();
    }
    throw thrown;
  }
}

/** What entries say of a round. */
export function aboutRound({ campaignName, roundNumber }: RoundPlan): { readonly campaign: string; readonly round: number } {
  return { campaign: campaignName, round: roundNumber };
}

/** True when this update was offered before: whether it counts, only its repetition tells, and nothing new leaves with it. */
export function wasOffered(audit: SiteAudit, plan: RoundPlan, { digest }: Pick<ReadyUpdate, 'digest'>): boolean {
  const about = { ...aboutRound(plan), update: digest };
  return audit.isNoted('update-offered', about) || audit.isNoted('update-delivered', about);
}
