import { FederationError } from '@consilium/shared/kernel';
import type { CampaignState } from '@consilium/shared/wire';

/** Every legal move of a campaign. A failed campaign may be resumed: its failed round is tried once more. */
const CAMPAIGN_MOVES: Readonly<Record<CampaignState, readonly CampaignState[]>> = {
  active: ['paused', 'scoring', 'failed', 'cancelled'],
  paused: ['active', 'failed', 'cancelled'],
  scoring: ['finished', 'cancelled'],
  failed: ['active', 'cancelled'],
  finished: [],
  cancelled: [],
};

/** Throws CAMPAIGN_TRANSITION unless the table allows the move. */
export function requireCampaignMove(name: string, from: CampaignState, to: CampaignState): void {
  if (CAMPAIGN_MOVES[from].includes(to)) return;
  throw new FederationError('CAMPAIGN_TRANSITION', `the campaign ${name} is ${from} and cannot become ${to}`, {
    details: { from, to },
    remedy: 'Look at it with "coordinator campaign show".',
  });
}

/** States in which the clock or a fact can still change something. */
export const MOVING_STATES: readonly CampaignState[] = ['active', 'paused', 'scoring'];
