/** Patches as the task's augmentation wants them, image and labels alike; for classification without labels. */
import type { Random } from '@consilium/shared/kernel';
import { augmentInPlace, drawAugmentation, FULL_AUGMENTATION } from '../transforms/augment/augmentation.js';
import type { LabelledGrid } from '../transforms/augment/labelled-patch.js';
import { drawMirror } from '../transforms/augment/mirror.js';
import { warpedBox, warpInto } from '../transforms/augment/spatial-warp.js';
import type { AugmentationPlan } from './tasks/finetune-training.js';
import type { PatchSource } from './cases/kept-case.js';
import { cutPatch, type WindowStart } from './cases/cut-patch.js';

interface Augmenting {
  readonly plan: AugmentationPlan;
  readonly random: Random;
}

/** Cuts or warps the patch that begins at `start` out of the source, beyond which there are zeros, as the plan says. */
export function takePatch(patch: LabelledGrid, source: PatchSource, start: WindowStart, { plan, random }: Augmenting): void {
  const full = plan.level === 'full';
  const drawing = full && drawAugmentation({ ...FULL_AUGMENTATION, flipAxes: plan.flipAxes }, patch.sizeVoxels, random);
  if (drawing && drawing.spatial) {
    const { from, to } = warpedBox(drawing.spatial, patch.sizeVoxels, start);
    warpInto(patch, drawing.spatial, source.around(from, to), start);
  } else cutOut(patch, source, start);
  if (drawing) augmentInPlace(patch, drawing);
  else if (plan.level !== 'none') augmentLightly(patch, plan, random);
}

function cutOut({ sizeVoxels, voxels, classMap }: LabelledGrid, source: PatchSource, start: WindowStart): void {
  const end = [start[0] + sizeVoxels[0], start[1] + sizeVoxels[1], start[2] + sizeVoxels[2]] as const;
  const part = source.around(start, end);
  const [x, y, z] = part.begins;
  const within = [start[0] - x, start[1] - y, start[2] - z] as const;
  cutPatch(part.voxels, part.sizeVoxels, within, sizeVoxels, voxels);
  if (part.classMap && classMap) cutPatch(part.classMap, part.sizeVoxels, within, sizeVoxels, classMap);
}

/** Flips image and labels alike and scales the image, all in place; intensities stay within [0, 1]. */
export function augmentLightly(
  patch: LabelledGrid,
  plan: Pick<AugmentationPlan, 'flipAxes' | 'intensityShift'>,
  random: Random,
): void {
  augmentInPlace(patch, { flips: drawMirror(plan.flipAxes, random) });
  if (plan.intensityShift === 0) return;
  const factor = random.between(1 - plan.intensityShift, 1 + plan.intensityShift);
  const { voxels } = patch;
  for (let i = 0; i < voxels.length; i++) voxels[i] = Math.min(1, (voxels[i] as number) * factor);
}
