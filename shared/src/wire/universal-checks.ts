import type { z } from 'zod';
import type { ModelSpec, UniversalSpec } from '@consilium/shared/models';
import type { ObjectivePlan, UniversalObjective } from './objective-plan.js';
import type { PatchPlan } from './training-plan.js';

/** What these checks read of a campaign. */
export interface UniversalCampaign {
  readonly model: ModelSpec;
  readonly objective: ObjectivePlan;
  readonly patch: PatchPlan;
}

type Refuse = (path: readonly (string | number)[], message: string) => void;

/** A site tells CT from MR: the classes of the adversary. */
const MODALITIES = 2;

/** Refuses a universal objective whose heads and labels do not fit each other or the model; see `adversaryIssues` for its adversary. */
export function checkUniversal(plan: UniversalCampaign, context: z.RefinementCtx): void {
  const { model, objective } = plan;
  if (model.architecture !== 'universal-model' || objective.kind !== 'universal-model') return;
  const refuse: Refuse = (path, message) => context.addIssue({ code: 'custom', path: [...path], message });
  checkScales(model, objective, plan.patch, refuse);
  checkModalities(model, objective, refuse);
}

function checkScales(model: UniversalSpec, { scaleWeight }: UniversalObjective, { scales }: PatchPlan, refuse: Refuse): void {
  if (scaleWeight === 0) return;
  if (model.scales === 0) {
    refuse(['objective', 'scaleWeight'], 'the model has no scale classifier: set scaleWeight to 0, or the model’s scales');
  } else if (scales === undefined) {
    refuse(
      ['patch', 'scales'],
      'the scale classifier needs crops of several sizes: give "scales: {}" for the three published ones',
    );
  } else if (scales.sizes.length !== model.scales) {
    const message = `${scales.sizes.length} sizes do not fit the ${model.scales} classes of the model’s scale classifier`;
    refuse(['patch', 'scales', 'sizes'], message);
  }
}

function checkModalities(model: UniversalSpec, { adversary, modalities }: UniversalObjective, refuse: Refuse): void {
  if (model.modalities !== 0 && model.modalities !== MODALITIES) {
    refuse(['model', 'modalities'], 'sites tell CT from MR: the adversary has 2 classes, or none');
  }
  if (adversary.mode === 'none') return;
  const path = ['objective', 'adversary', 'mode'];
  if (modalities !== undefined && new Set(modalities).size < MODALITIES) {
    refuse(path, 'with volumes of one modality there is nothing for an adversary to tell: set the mode to "none"');
  }
}
