/** Which bytes of a campaign may go: facts, rules and time in, names out. Rows are never touched by what is decided here. */
import type { CampaignState, RetainedKind, RoundPart, RoundState, UpdateState } from '@consilium/shared/wire';
import type { RetentionRules } from '../config/retention-settings.js';

export interface RetainedRound {
  readonly id: string;
  readonly number: number;
  readonly state: RoundState;
  /** The part of the model that it moves: its state is taken up by the next round of the same part. */
  readonly part: RoundPart;
  readonly baseVersion: number;
  readonly finishedAtMs: number | null;
}

/** An update whose bytes are there. */
export interface RetainedUpdate {
  readonly participationId: string;
  readonly state: UpdateState;
  /** The round for which it was made. */
  readonly roundId: string;
  /** The round in which it counts; null as long as it counts nowhere. */
  readonly foldRoundId: string | null;
  readonly acceptedAtMs: number;
  readonly decidedAtMs: number | null;
}

/** A version whose bytes are there. */
export interface RetainedVersion {
  readonly number: number;
  readonly roundId: string | null;
  readonly pin: string | null;
}

export interface RetentionFacts {
  readonly state: CampaignState;
  readonly finishedAtMs: number | null;
  readonly rounds: readonly RetainedRound[];
  /** Rounds for which a site is still at work: it may yet ask for the base. */
  readonly roundsAtWork: ReadonlySet<string>;
  readonly updates: readonly RetainedUpdate[];
  readonly versions: readonly RetainedVersion[];
  /** Number of the newest version, whose bytes never go. */
  readonly newestVersion: number;
}

export interface RetentionDecision {
  /** Participations whose update goes, with what kind of update it is. */
  readonly updates: readonly { readonly participationId: string; readonly kind: Exclude<RetainedKind, 'versions'> }[];
  /** Numbers. */
  readonly versions: readonly number[];
}

/** Two kinds of updates, by who may still ask for them: those that were held back wait for an operator, or were judged by one. */
export function kindOfUpdate(state: UpdateState): Exclude<RetainedKind, 'versions'> {
  return state === 'quarantined' || state === 'discarded' ? 'held-back' : 'updates';
}

/**
 * Kept whatever the rules say: updates that may still be folded, pinned versions, the newest version, and of a campaign that may go on
 * the bases of open rounds and of sites at work, and the version whose state the next round of each part takes up.
 */
export function decideRetention(facts: RetentionFacts, rules: RetentionRules, nowMs: number): RetentionDecision {
  const needed = neededVersions(facts);
  const roundOf = new Map(facts.rounds.map((round) => [round.id, round]));
  const isKept = ({ number, roundId, pin }: RetainedVersion): boolean => {
    const round = roundId === null ? undefined : roundOf.get(roundId);
    const isMilestone = round !== undefined && rules.versionEvery > 0 && round.number % rules.versionEvery === 0;
    return pin !== null || isMilestone || needed.has(number) || number > facts.newestVersion - rules.versions;
  };
  const newest = newestFinished(facts.rounds, rules.updateRounds);
  const updates = facts.updates.flatMap((update) => {
    const kind = kindOfUpdate(update.state);
    const [endedAtMs, keptMs] =
      kind === 'held-back'
        ? [endOfHeldBack(facts, roundOf, update), rules.heldBackMs]
        : [endOfUpdate(facts, roundOf, newest, update), rules.updatesMs];
    return endedAtMs !== undefined && nowMs - endedAtMs >= keptMs ? [{ participationId: update.participationId, kind }] : [];
  });
  return { updates, versions: facts.versions.filter((version) => !isKept(version)).map(({ number }) => number) };
}

function hasEnded({ state }: Pick<RetentionFacts, 'state'>): boolean {
  return state === 'finished' || state === 'cancelled';
}

function isOpen({ state }: RetainedRound): boolean {
  return state !== 'finished' && state !== 'failed' && state !== 'cancelled';
}

function neededVersions(facts: RetentionFacts): ReadonlySet<number> {
  const needed = new Set([facts.newestVersion]);
  // One that has failed may be resumed.
  if (hasEnded(facts)) return needed;
  const ofPart = new Map<RoundPart, number>();
  for (const round of facts.rounds) {
    if (isOpen(round) || facts.roundsAtWork.has(round.id)) needed.add(round.baseVersion);
    // A finished round makes the version after its base.
    if (round.state === 'finished') ofPart.set(round.part, Math.max(ofPart.get(round.part) ?? 0, round.baseVersion + 1));
  }
  for (const number of ofPart.values()) needed.add(number);
  return needed;
}

/** Numbers of the newest rounds that made a version. */
function newestFinished(rounds: readonly RetainedRound[], count: number): ReadonlySet<number> {
  const numbers = rounds.filter(({ state }) => state === 'finished').map(({ number }) => number);
  return new Set(numbers.sort((a, b) => b - a).slice(0, count));
}

/** When an update came to be of no use to any round; undefined while it may still count, or as long as its round is one of the newest. */
function endOfUpdate(
  facts: RetentionFacts,
  roundOf: ReadonlyMap<string, RetainedRound>,
  newest: ReadonlySet<number>,
  { foldRoundId }: RetainedUpdate,
): number | undefined {
  const fold = foldRoundId === null ? undefined : roundOf.get(foldRoundId);
  if (fold?.state === 'finished') return newest.has(fold.number) ? undefined : (fold.finishedAtMs ?? undefined);
  // It waits for a round, or its round made no version: as long as the campaign may go on, a later one may take it.
  return hasEnded(facts) ? (facts.finishedAtMs ?? undefined) : undefined;
}

/** When the round of an update ended that was held back, or later: when an operator decided. */
function endOfHeldBack(
  facts: RetentionFacts,
  roundOf: ReadonlyMap<string, RetainedRound>,
  { roundId, acceptedAtMs, decidedAtMs }: RetainedUpdate,
): number | undefined {
  const round = roundOf.get(roundId);
  const isUnderWay = round !== undefined && isOpen(round) && !hasEnded(facts);
  return isUnderWay ? undefined : Math.max(acceptedAtMs, round?.finishedAtMs ?? 0, decidedAtMs ?? 0);
}
