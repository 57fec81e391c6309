import type { Digest } from '@consilium/shared/kernel';
import type { Assignment, RoundPlan, ScorePlan, VersionDelta, VersionReference } from '@consilium/shared/wire';
import type { Verdict } from '../policy/policy-desk.js';
import type { PrivacyRefusal } from './judge-privacy.js';
import type { ParticipationRecord, ReadyUpdate, ScoreRecord } from './agent-journal.js';

/** Everything the decision rests on. */
export interface Situation {
  readonly connected: boolean;
  /** The site's hours are over: nothing is computed until they begin again. */
  readonly rests: boolean;
  /** The coordinator's latest answer; undefined before the first one since the agent started. */
  readonly assignment: Assignment | null | undefined;
  /** The participation in the journal that is not closed. */
  readonly open: ParticipationRecord | undefined;
  /** The journal's record of the assigned participation, when it is closed. */
  readonly assignedIsClosed: boolean;
  /** The journal's record of the assigned score. */
  readonly score: ScoreRecord | undefined;
  /** The assigned score failed here too often to be tried again. */
  readonly scoreGivenUp: boolean;
  readonly hasVersion: (digest: Digest) => boolean;
  /** Usable volumes that the campaign may train on. */
  readonly countVolumes: (campaignName: string) => number;
  /** What the site's policy says now. */
  readonly judge: (plan: RoundPlan | ScorePlan) => Verdict['kind'];
  /** True when the open update was offered before. */
  readonly wasOffered: boolean;
  /** Why the site's own limits of privacy do not let it deliver for this plan; undefined when they do. */
  readonly privacyRefusal: (plan: RoundPlan) => PrivacyRefusal | undefined;
  /** The site lets no score leave: scores carry no noise. */
  readonly keepsScores: boolean;
}

export type Step =
  | { readonly kind: 'idle' }
  /** What comes next needs the coordinator, who is away; what is under way goes on. */
  | { readonly kind: 'wait' }
  /** What comes next is computing, outside the site's hours; a trainer that runs is stopped with its state. */
  | { readonly kind: 'rest' }
  | { readonly kind: 'abandon'; readonly participationId: string }
  | { readonly kind: 'note-invitation'; readonly assignment: Extract<Assignment, { kind: 'train' }> }
  | { readonly kind: 'accept'; readonly participationId: string }
  | { readonly kind: 'decline'; readonly participationId: string; readonly code: string }
  | { readonly kind: 'fail'; readonly participationId: string; readonly code: string }
  | {
      readonly kind: 'download';
      readonly campaignName: string;
      readonly version: VersionReference;
      /** Not a model version but the control variates that go with it. */
      readonly isControl?: boolean;
      /** The version's parent is here: this file makes the version of it. */
      readonly delta?: VersionDelta;
      readonly participationId?: string;
    }
  | { readonly kind: 'train'; readonly record: ParticipationRecord }
  | { readonly kind: 'upload'; readonly record: ParticipationRecord; readonly update: ReadyUpdate }
  | { readonly kind: 'offer'; readonly record: ParticipationRecord; readonly update: ReadyUpdate; readonly uploadId: string }
  | { readonly kind: 'score'; readonly plan: ScorePlan }
  | { readonly kind: 'report-score'; readonly record: ScoreRecord };

const IDLE: Step = { kind: 'idle' };
const WAIT: Step = { kind: 'wait' };
const REST: Step = { kind: 'rest' };

/**
 * What the agent should be doing, from facts alone: the same facts give the same step however often it is asked, so a restart,
 * a doubled nudge or a lost message is just another look.
 */
export function nextStep(situation: Situation): Step {
  const { assignment, open } = situation;
  // Not heard yet since the start: the round may still be open, so the work in hand goes on.
  if (assignment === undefined) return open === undefined ? WAIT : workOn(open, situation);
  if (open !== undefined) {
    const isAssigned = assignment?.kind === 'train' && assignment.participationId === open.participationId;
    // An offer may have arrived although its answer did not: whether it counts, only its repetition tells.
    const mayCount = open.phase === 'uploaded' && open.update !== undefined && open.uploadId !== undefined;
    return isAssigned || mayCount ? workOn(open, situation) : { kind: 'abandon', participationId: open.participationId };
  }
  if (assignment === null) return IDLE;
  if (assignment.kind === 'score') return scoreStep(assignment.plan, situation);
  return situation.assignedIsClosed ? IDLE : { kind: 'note-invitation', assignment };
}

function workOn(record: ParticipationRecord, situation: Situation): Step {
  const { participationId, phase, plan, update, uploadId } = record;
  const code = record.code ?? 'INVARIANT';
  const refusal = byPolicy(record, situation);
  if (refusal !== undefined) return refusal;
  switch (phase) {
    case 'invited': {
      const isEmpty = situation.countVolumes(plan.campaignName) === 0;
      const reason = isEmpty ? 'COLLECTION_EMPTY' : situation.privacyRefusal(plan);
      if (reason !== undefined) return online(situation, { kind: 'decline', participationId, code: reason });
      return online(situation, { kind: 'accept', participationId });
    }
    case 'accepted':
      return trainStep(record, situation);
    case 'trained':
      if (update === undefined) return inHours(situation, { kind: 'train', record });
      return online(situation, { kind: 'upload', record, update });
    case 'uploaded':
      if (update === undefined) return inHours(situation, { kind: 'train', record });
      if (uploadId === undefined) return online(situation, { kind: 'upload', record, update });
      return online(situation, { kind: 'offer', record, update, uploadId });
    case 'failing':
      return online(situation, { kind: 'fail', participationId, code });
    case 'declining':
      return online(situation, { kind: 'decline', participationId, code });
    case 'closed':
      return IDLE;
  }
}

/**
 * What the site's policy makes of a part in a round that it does not allow (any more); undefined where it allows it. While the policy
 * cannot be read, what was begun rests; while the coordinator is away, it rests until that can be told.
 */
function byPolicy({ participationId, phase, plan }: ParticipationRecord, situation: Situation): Step | undefined {
  if (phase === 'failing' || phase === 'declining' || phase === 'closed') return undefined;
  // An update that was offered may count already: only the answer to the same offer tells.
  if (phase === 'uploaded' && situation.wasOffered) return undefined;
  const verdict = situation.judge(plan);
  if (verdict === 'allowed') return undefined;
  const code = 'POLICY_REFUSED';
  if (phase === 'invited') return online(situation, { kind: 'decline', participationId, code });
  return verdict === 'refused' && situation.connected ? { kind: 'fail', participationId, code } : REST;
}

function trainStep(record: ParticipationRecord, situation: Situation): Step {
  const { participationId, plan } = record;
  const { base, baseDelta, campaignName } = plan;
  const fetch = { kind: 'download', campaignName, participationId } as const;
  if (!situation.hasVersion(base.digest)) {
    return online(situation, { ...fetch, version: base, ...wayByDelta(baseDelta, situation) });
  }
  const control = controlOf(plan);
  if (control === undefined || situation.hasVersion(control.digest)) return inHours(situation, { kind: 'train', record });
  return online(situation, { ...fetch, version: control, isControl: true });
}

function wayByDelta(delta: VersionDelta | undefined, situation: Situation): { readonly delta?: VersionDelta } {
  return delta !== undefined && situation.hasVersion(delta.parent) ? { delta } : {};
}

/** The control variates that a round needs beside its base; undefined where it needs none, or all are zero still. */
export function controlOf({ localRule, base }: RoundPlan): VersionReference | undefined {
  if (localRule?.kind !== 'control-variates' || localRule.control === null) return undefined;
  return { number: base.number, ...localRule.control };
}

function scoreStep(plan: ScorePlan, situation: Situation): Step {
  const { score } = situation;
  if (situation.keepsScores || score?.reported === true || situation.scoreGivenUp) return IDLE;
  if (situation.countVolumes(plan.campaignName) === 0 || situation.judge(plan) !== 'allowed') return IDLE;
  if (score?.score !== undefined) return online(situation, { kind: 'report-score', record: score });
  if (situation.hasVersion(plan.version.digest)) return inHours(situation, { kind: 'score', plan });
  const { campaignName, version, baseDelta } = plan;
  return online(situation, { kind: 'download', campaignName, version, ...wayByDelta(baseDelta, situation) });
}

function online(situation: Situation, step: Step): Step {
  return situation.connected ? step : WAIT;
}

function inHours(situation: Situation, step: Step): Step {
  return situation.rests ? REST : step;
}

/** Two steps with the same key are the same work: what is under way is left alone. */
export function stepKey(step: Step): string {
  switch (step.kind) {
    case 'idle':
    case 'wait':
    case 'rest':
      return step.kind;
    case 'abandon':
    case 'accept':
    case 'decline':
    case 'fail':
      return `${step.kind} ${step.participationId}`;
    case 'note-invitation':
      return `${step.kind} ${step.assignment.participationId}`;
    case 'download':
      return `${step.kind} ${step.version.digest} ${step.participationId ?? ''}`;
    case 'train':
    case 'upload':
    case 'offer':
      return `${step.kind} ${step.record.participationId}`;
    case 'score':
      return `${step.kind} ${step.plan.campaignId} ${step.plan.version.digest}`;
    case 'report-score':
      return `${step.kind} ${step.record.plan.campaignId} ${step.record.plan.version.digest}`;
  }
}
