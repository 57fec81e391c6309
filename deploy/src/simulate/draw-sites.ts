import { FederationError, Random } from '@consilium/shared/kernel';
import type { Disturbance } from './disturbance-trace.js';
import type { LightTraining } from './light-trainer.js';

/** How much longer a slow site trains. */
const SLOW_FACTOR = 20;
/** Sites of ordinary speed train between half and one and a half of the given time. */
const SPREAD = 1;
/** Sites leave out up to so many of the planned steps, so that they weigh differently. */
const FEWER_STEPS = 10;
/** Until when a site that is slow by lot is slow: longer than any simulation. */
const ALWAYS_SECONDS = 1e6;

/** What site number k does by the seed: another order of sites or events draws the same. */
export function drawTraining(
  index: number,
  { seed, trainingMs, failureShare }: { seed: number; trainingMs: number; failureShare: number },
): LightTraining {
  const own = new Random(`simulation/${seed}`).fork(index);
  const durationMs = trainingMs * (1 - SPREAD / 2 + SPREAD * own.fork('speed').uniform());
  return {
    index,
    durationMs: () => durationMs,
    stepsOf: (planned) => planned - (index % FEWER_STEPS),
    failureIn: (roundNumber) =>
      own.fork(`failure/${roundNumber}`).uniform() < failureShare
        ? new FederationError('TRAINING_DIVERGED', 'the simulated training failed, as drawn by lot')
        : undefined,
  };
}

/** The sites that are slow from beginning to end: the share of them whose lots are lowest. */
export function drawSlowSites(
  siteNames: readonly string[],
  { seed, slowShare }: { seed: number; slowShare: number },
): Disturbance[] {
  const lots = new Random(`simulation/${seed}`).fork('slow');
  return siteNames
    .map((site) => ({ site, lot: lots.fork(site).uniform() }))
    .sort((a, b) => a.lot - b.lot)
    .slice(0, Math.round(slowShare * siteNames.length))
    .map(({ site }) => ({ site, fromSeconds: 0, untilSeconds: ALWAYS_SECONDS, kind: 'slow', factor: SLOW_FACTOR }));
}
