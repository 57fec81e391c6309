import { stepsOfRound } from '@consilium/shared/wire';
import { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { Campaign } from '../../../coordinator/src/campaigns/campaign.entity.js';
import { CHECKPOINT_STEPS } from '../world/simulated-trainer.js';
import type { Checker } from './checker.js';

/** Two trainer deaths are survived in a round; the third ends the site's part in it. */
const TRAINER_DEATHS = 3;

export const noLostSteps: Checker = {
  promise: 'no step is trained twice but those since the last checkpoint of a process that died',
  watch: (world) => () => {
    const { records } = world.disk;
    const parts = new Map(records.rowsOf(Participation).map((part) => [part.id, part]));
    const rounds = new Map(records.rowsOf(Round).map((round) => [round.id, round]));
    const plans = new Map(records.rowsOf(Campaign).map(({ id, plan }) => [id, plan]));
    for (const [participationId, steps] of world.computedSteps) {
      const part = parts.get(participationId);
      if (part === undefined) return 'somebody trained for no round';
      const round = rounds.get(part.roundId);
      const plan = plans.get(round?.campaignId ?? '');
      const wanted = plan === undefined || round === undefined ? 0 : stepsOfRound({ ...plan, roundNumber: round.number });
      const deaths = world.deathsOf(part.siteName) + TRAINER_DEATHS;
      if (steps > wanted + deaths * CHECKPOINT_STEPS) return `${part.siteName} trained ${steps} steps where ${wanted} were asked`;
    }
    return undefined;
  },
};
