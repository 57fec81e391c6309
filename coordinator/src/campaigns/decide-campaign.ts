import type { CampaignState, RoundState } from '@consilium/shared/wire';
import type { RoundFailure } from '../rounds/decide-round.js';

export interface CampaignFacts {
  readonly state: CampaignState;
  /** Rounds that the plan asks for. */
  readonly rounds: number;
  /** Times that a round which lacked updates is tried before the campaign stops. */
  readonly attempts: number;
  readonly latestRound: LatestRound | null;
}

interface LatestRound {
  readonly number: number;
  /** 1 for the first try; an operator's resume adds tries of its own. */
  readonly attempt: number;
  readonly state: RoundState;
  readonly code: string | null;
  readonly finishedAtMs: number | null;
}

/** Failures for want of updates: sites that were away may be back. */
const WORTH_TRYING_AGAIN: ReadonlySet<string> = new Set<RoundFailure>(['QUORUM_MISSED', 'REQUIRED_SITE_MISSING']);

/** Pause before the next try: sites that decline at once would use all tries up within a second. */
export const ATTEMPT_PAUSE_MS = 10_000;

/** Facts about the scoring of the final version. */
export interface ScoringFacts {
  /** Until when sites that are connected are waited for. */
  readonly limitAtMs: number;
  /** Until when sites that are not connected are waited for. */
  readonly presenceAtMs: number;
  readonly sites: readonly { readonly isConnected: boolean; readonly hasReported: boolean }[];
}

export type CampaignDecision =
  | { readonly kind: 'plan-round'; readonly number: number }
  | { readonly kind: 'move'; readonly to: 'scoring' | 'finished' }
  | { readonly kind: 'move'; readonly to: 'failed'; readonly code: string }
  | { readonly kind: 'none' };

/** What a campaign does between its rounds; while a round is open the round's own rule decides. */
export function decideCampaign(campaign: CampaignFacts, scoring: ScoringFacts | null, nowMs: number): CampaignDecision {
  if (campaign.state === 'scoring') {
    return scoring !== null && isScoringOver(scoring, nowMs) ? { kind: 'move', to: 'finished' } : { kind: 'none' };
  }
  const { latestRound } = campaign;
  const isMoving = campaign.state === 'active' || campaign.state === 'paused';
  if (latestRound?.state === 'failed' && isMoving && !hasTriesLeft(campaign, latestRound)) {
    return { kind: 'move', to: 'failed', code: latestRound.code ?? 'INVARIANT' };
  }
  if (campaign.state !== 'active') return { kind: 'none' };
  if (latestRound?.state === 'failed') {
    const isDue = nowMs >= (latestRound.finishedAtMs ?? 0) + ATTEMPT_PAUSE_MS;
    return isDue ? { kind: 'plan-round', number: latestRound.number } : { kind: 'none' };
  }
  if (latestRound === null) return { kind: 'plan-round', number: 1 };
  if (latestRound.state !== 'finished') return { kind: 'none' };
  if (latestRound.number < campaign.rounds) return { kind: 'plan-round', number: latestRound.number + 1 };
  return { kind: 'move', to: 'scoring' };
}

/** Every resume by an operator gives the round its full number of tries again. */
function hasTriesLeft({ attempts }: CampaignFacts, { attempt, code }: LatestRound): boolean {
  return WORTH_TRYING_AGAIN.has(code ?? '') && attempt % attempts !== 0;
}

function isScoringOver({ limitAtMs, presenceAtMs, sites }: ScoringFacts, nowMs: number): boolean {
  const missing = sites.filter(({ hasReported }) => !hasReported);
  if (missing.length === 0 || nowMs >= limitAtMs) return true;
  return nowMs >= presenceAtMs && missing.every(({ isConnected }) => !isConnected);
}
