import type { z } from 'zod';
import { answersEveryVoxel, backboneOf, type ModelSpec, sideMultiplesOf } from '@consilium/shared/models';
import type { ObjectivePlan } from './objective-plan.js';
import type { PatchPlan } from './training-plan.js';
import { checkUniversal } from './universal-checks.js';

/** What restoring patches asks of a plan's parts, in a campaign as at one site alone. */
export interface RestorationPlan {
  readonly model: ModelSpec;
  readonly objective: ObjectivePlan;
  readonly patch: PatchPlan;
}

/** Refuses a network, an objective and patches that do not go together. */
export function checkRestoration(plan: RestorationPlan, context: z.RefinementCtx): void {
  const { model, objective, patch } = plan;
  const refuse = (path: readonly string[], message: string): void =>
    context.addIssue({ code: 'custom', path: [...path], message });
  if ((model.architecture === 'universal-model') !== (objective.kind === 'universal-model')) {
    const message = 'the objective universal-model trains a model of the architecture universal-model, and nothing else does';
    refuse(['model', 'architecture'], message);
  }
  checkUniversal(plan, context);
  if (!answersEveryVoxel(backboneOf(model))) {
    refuse(['model', 'architecture'], 'restoring patches needs a network that answers for every voxel, such as genesis-unet3d');
  }
  const multiples = sideMultiplesOf(model);
  if (patch.sizeVoxels.some((side, axis) => side % (multiples[axis] as number) !== 0)) {
    refuse(['patch', 'sizeVoxels'], `the sides must be multiples of ${multiples.join(', ')} for this network`);
  }
  if (patch.preparation?.intensity === 'z-score') {
    const message = 'models-genesis distorts intensities between 0 and 1: use "window"';
    refuse(['patch', 'preparation', 'intensity'], message);
  }
}
