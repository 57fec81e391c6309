import { FederationError } from '@consilium/shared/kernel';
import type { Assignment, OfferAnswer, Progress, RoundPlan, ScoreReport, UpdateOffer } from '@consilium/shared/wire';
import type { ParticipationRecord } from '../agent/agent-journal.js';
import type { CoordinatorLink, LinkState } from '../link/coordinator-link.js';
import { requireMessage } from './check-message.js';
import { aboutRound, type GateParts, requirePolicy, requireReady, sayingRefusals, wasOffered } from './gate-rules.js';
import { toldProgress, toldReport, toldScoreReport } from './told-figures.js';

/**
 * The control plane as the gate lets it through: every message is held against its strict form, figures that the policy keeps at the
 * site are left out, and what the site's log says of an act is on disk before the act leaves.
 */
export class GatedLink implements CoordinatorLink {
  constructor(
    private readonly through: CoordinatorLink,
    private readonly parts: GateParts,
    /** Rejects unless the update of this part in a round was found to be what its plan names. */
    private readonly requireExamined: (participationId: string) => Promise<void>,
  ) {}

  get state(): LinkState {
    return this.through.state;
  }

  open(): void {
    this.through.open();
  }

  close(): void {
    this.through.close();
  }

  onState(listener: (state: LinkState) => void): void {
    this.through.onState(listener);
  }

  onNudge(listener: () => void): void {
    this.through.onNudge(listener);
  }

  async sync(restsForMs?: number): Promise<Assignment | null> {
    return this.letOut({}, async () => {
      requireMessage('a question for work', { restsForMs });
      return () => this.through.sync(restsForMs);
    });
  }

  async accept(participationId: string): Promise<void> {
    return this.letOut(this.about(participationId), async () => {
      requireMessage('an acceptance', { participationId });
      const { plan } = this.known(participationId);
      requirePolicy(this.parts, plan);
      this.parts.audit.note('accepted', aboutRound(plan));
      return () => this.through.accept(participationId);
    });
  }

  async decline(participationId: string, code: string): Promise<void> {
    return this.letOut(this.about(participationId), async () => {
      requireMessage('a refusal of an invitation', { participationId, code });
      const { plan } = this.known(participationId);
      const rules = code === 'POLICY_REFUSED' ? this.refusingRules(plan) : [];
      this.parts.audit.note('declined', { ...aboutRound(plan), code, ...(rules.length === 0 ? null : { rules }) });
      return () => this.through.decline(participationId, code);
    });
  }

  async fail(participationId: string, code: string): Promise<void> {
    return this.letOut(this.about(participationId), async () => {
      requireMessage('a failure', { participationId, code });
      this.parts.audit.note('failed', { ...aboutRound(this.known(participationId).plan), code });
      return () => this.through.fail(participationId, code);
    });
  }

  async progress(progress: Progress): Promise<void> {
    return this.letOut(this.about(progress.participationId), async () => {
      const told = toldProgress(progress, this.parts.policy.rules);
      requireMessage('progress', told);
      this.known(progress.participationId);
      return () => this.through.progress(told);
    });
  }

  async offer(offer: UpdateOffer): Promise<OfferAnswer> {
    return this.letOut(this.about(offer.participationId), async () => {
      const { audit, policy } = this.parts;
      const { plan, update } = requireReady(this.parts, offer.participationId);
      requireMessage('an offer', offer);
      if (offer.digest !== update.digest || offer.baseDigest !== plan.base.digest)
        throw new FederationError(
          'EGRESS_REFUSED',
          'an offer does not leave this site: it names other weights than were trained',
        );
      if (!wasOffered(audit, plan, update)) {
        requirePolicy(this.parts, plan);
        await this.requireExamined(offer.participationId);
        audit.note('update-offered', { ...aboutRound(plan), update: update.digest });
      }
      const told = { ...offer, report: toldReport(offer.report, policy.rules) };
      return () => this.through.offer(audit.head === undefined ? told : { ...told, auditHead: audit.head });
    });
  }

  async reportScore(report: ScoreReport): Promise<void> {
    const record = this.parts.journal.score(report.campaignId, report.versionDigest);
    return this.letOut(record === undefined ? {} : { campaign: record.plan.campaignName }, async () => {
      if (record === undefined)
        throw new FederationError('EGRESS_REFUSED', 'a score does not leave this site: nobody has asked for it');
      requirePolicy(this.parts, record.plan);
      const told = toldScoreReport(report, this.parts.policy.rules);
      requireMessage('a score', told);
      const { campaignName: campaign, version } = record.plan;
      this.parts.audit.note('score-reported', { campaign, version: version.number, digest: version.digest });
      return () => this.through.reportScore(told);
    });
  }

  /** Checks first, then makes sure that the log is on disk, then sends; what the coordinator answers is none of the gate's. */
  private async letOut<T>(
    about: { readonly campaign?: string; readonly round?: number },
    check: () => Promise<() => Promise<T>>,
  ): Promise<T> {
    const send = await sayingRefusals(this.parts, about, check);
    this.parts.audit.flush();
    return send();
  }

  private refusingRules(plan: RoundPlan): string[] {
    const verdict = this.parts.policy.judge(plan);
    return verdict.kind === 'refused' ? verdict.findings.flatMap(({ allowed, rule }) => (allowed ? [] : [rule])) : ['unreadable'];
  }

  private known(participationId: string): ParticipationRecord {
    const record = this.parts.journal.participation(participationId);
    if (record !== undefined) return record;
    throw new FederationError('EGRESS_REFUSED', 'a message does not leave this site: it is about a part in no known round');
  }

  private about(participationId: string): { readonly campaign?: string; readonly round?: number } {
    const plan = this.parts.journal.participation(participationId)?.plan;
    return plan === undefined ? {} : aboutRound(plan);
  }
}
