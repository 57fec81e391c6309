import type { ObjectivePlan } from '@consilium/shared/wire';
import type { ObjectiveChoice } from '../objectives/create-objective.js';
import type { ObjectiveClock } from '../objectives/universal-clock.js';
import { lacksAdversary } from './adversary-share.js';
import type { SiteCollection } from './site-collection.js';

/**
 * What the steps of a round or a recipe teach on these volumes. An adversary that would learn here needs both modalities: with
 * one, it would call everything by that name, and the encoder would flee into any direction. The site then trains without it,
 * which is told.
 */
export function chooseObjective(
  objective: ObjectivePlan,
  clock: ObjectiveClock,
  { volumes }: Pick<SiteCollection, 'volumes'>,
): { readonly objective: ObjectiveChoice; readonly announcement?: string } {
  if (objective.kind === 'models-genesis') return { objective: { kind: 'answer', loss: 'mse' } };
  const { restorationWeight, scaleWeight, adversary } = objective;
  const made = (chosen: typeof adversary): ObjectiveChoice => {
    return { kind: objective.kind, losses: { restorationWeight, scaleWeight, adversary: chosen }, clock };
  };
  if (!lacksAdversary(objective, volumes)) return { objective: made(adversary) };
  const announcement = `all volumes of this site are ${volumes[0]?.modality}: it trains without the adversary, which needs two modalities`;
  return { objective: made({ mode: 'none' }), announcement };
}
