import type { CampaignState, RoundState } from '@consilium/shared/wire';

export interface CampaignFacts {
  readonly state: CampaignState;
  /** Rounds that the plan asks for. */
  readonly rounds: number;
  readonly latestRound: { readonly number: number; readonly state: RoundState; readonly code: string | null } | null;
}

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
  if (latestRound?.state === 'failed' && (campaign.state === 'active' || campaign.state === 'paused')) {
    return { kind: 'move', to: 'failed', code: latestRound.code ?? 'INVARIANT' };
  }
  if (campaign.state !== 'active') return { kind: 'none' };
  if (latestRound === null) return { kind: 'plan-round', number: 1 };
  if (latestRound.state !== 'finished') return { kind: 'none' };
  if (latestRound.number < campaign.rounds) return { kind: 'plan-round', number: latestRound.number + 1 };
  return { kind: 'move', to: 'scoring' };
}

function isScoringOver({ limitAtMs, presenceAtMs, sites }: ScoringFacts, nowMs: number): boolean {
  const missing = sites.filter(({ hasReported }) => !hasReported);
  if (missing.length === 0 || nowMs >= limitAtMs) return true;
  return nowMs >= presenceAtMs && missing.every(({ isConnected }) => !isConnected);
}
