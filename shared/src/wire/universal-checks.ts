import type { z } from 'zod';
import { ADVERSARY_PREFIX, type ModelSpec, parametersOf, siteLocalMatcher, type UniversalSpec } from '@consilium/shared/models';
import type { ObjectivePlan, UniversalObjective } from './objective-plan.js';
import type { PatchPlan } from './training-plan.js';

/** What these checks read of a campaign. */
export interface UniversalCampaign {
  readonly model: ModelSpec;
  readonly objective: ObjectivePlan;
  readonly patch: PatchPlan;
  readonly siteLocal?: readonly string[] | undefined;
  readonly rounds: number;
}

type Refuse = (path: readonly (string | number)[], message: string) => void;

/** A site tells CT from MR: the classes of the adversary. */
const MODALITIES = 2;
/** Voxels of a patch side for one voxel of what the adversary's last convolution gives. */
const ADVERSARY_STRIDE = 16;
/** Of the last convolution: of two or fewer, a norm and then a mean leave nothing that depends on the patch. */
const LEAST_VOXELS = 4;

/** Refuses a universal objective whose parts do not fit each other or the model. */
export function checkUniversal(plan: UniversalCampaign, context: z.RefinementCtx): void {
  const { model, objective } = plan;
  if (model.architecture !== 'universal-model' || objective.kind !== 'universal-model') return;
  const refuse: Refuse = (path, message) => context.addIssue({ code: 'custom', path: [...path], message });
  checkScales(model, objective, plan.patch, refuse);
  checkAdversary(model, objective, plan.patch, refuse);
  if (objective.adversary.mode === 'frozen') checkFrozen(model, plan, 1 + objective.adversary.subRounds, refuse);
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

function checkAdversary(
  model: UniversalSpec,
  { adversary, modalities }: UniversalObjective,
  { sizeVoxels }: PatchPlan,
  refuse: Refuse,
): void {
  if (model.modalities !== 0 && model.modalities !== MODALITIES) {
    refuse(['model', 'modalities'], 'sites tell CT from MR: the adversary has 2 classes, or none');
  }
  if (adversary.mode === 'none') return;
  const path = ['objective', 'adversary', 'mode'];
  if (model.modalities === 0) refuse(path, 'the model has no adversary: set the mode to "none", or the model’s modalities');
  if (modalities !== undefined && new Set(modalities).size < MODALITIES) {
    refuse(path, 'with volumes of one modality there is nothing for an adversary to tell: set the mode to "none"');
  }
  const voxels = sizeVoxels.reduce((product, side) => product * Math.ceil(side / ADVERSARY_STRIDE), 1);
  if (voxels < LEAST_VOXELS) {
    const message = 'of so small a patch the adversary’s last norm leaves nothing to tell: two sides must exceed 16, or one 48';
    refuse(['patch', 'sizeVoxels'], message);
  }
}

/** What the sites' gradients at the shared adversary need to add up to the one of all their patches. */
function checkFrozen(model: UniversalSpec, { siteLocal = [], rounds }: UniversalCampaign, cycle: number, refuse: Refuse): void {
  if (rounds < cycle) {
    const message = `a frozen adversary needs ${cycle} rounds or more: one of the representation, then its subRounds`;
    refuse(['rounds'], message);
  }
  if (model.norm === 'batch') {
    const message =
      'a frozen adversary needs a norm that looks at single patches ("instance", "group"): with batch norm the sites’ gradients ' +
      'would not add up to those of all their patches';
    refuse(['model', 'norm'], message);
  }
  const adversary = parametersOf(model).filter(({ name }) => name.startsWith(ADVERSARY_PREFIX));
  for (const [index, pattern] of siteLocal.entries()) {
    if (!adversary.some(siteLocalMatcher(pattern))) continue;
    const message =
      'a frozen adversary is the same at all sites, but this keeps parts of it at each; name the backbone’s instead';
    refuse(['siteLocal', index], message);
  }
}
