import { countOverlap, dice, mean } from '../finetuning/answers/metrics.js';
import { onOwnGrid } from '../finetuning/cases/prepare-image.js';
import { predictVolume } from '../finetuning/answers/sliding-window.js';
import { pauseOf } from '../finetuning/answers/window-pause.js';
import type { OrderContext } from '../trainer/order-context.js';
import type { PatchSize } from '../training/patch-batch.js';
import type { LoadedCollection } from './branch-feed.js';
import type { BranchedLearner } from './branched-learner.js';
import { branchOutputs } from './labelled-recipe.js';

/** What a branch reached on its collection's validation cases. */
export interface BranchScore {
  /** Mean over cases and classes; null without validation cases. */
  readonly dice: number | null;
  readonly classes: readonly { readonly name: string; readonly dice: number }[];
}

/** Dice of each branch on its own collection, on the images' own grids; in the order of the collections. */
export async function validateBranches(
  learner: Pick<BranchedLearner, 'predict'>,
  loaded: readonly LoadedCollection[],
  patch: PatchSize,
  context: Pick<OrderContext, 'stop' | 'report'>,
): Promise<BranchScore[]> {
  const total = loaded.reduce((sum, { validation }) => sum + validation.length, 0);
  const scores: BranchScore[] = [];
  let done = 0;
  for (const { collection, validation } of loaded) {
    const perCase: number[][] = [];
    for (const kept of validation) {
      const { classMap, own, ...image } = kept.whole();
      const outputs = branchOutputs(collection);
      const predict = (input: Float32Array): Float32Array => learner.predict(collection.name, input, patch);
      const range = { outputs, from: 0, to: outputs };
      const pause = pauseOf(context, 'validating', { index: done, total });
      const probabilities = onOwnGrid(await predictVolume(image, { patch, range, pause }, predict), own?.fromOwn, outputs);
      const counts = countOverlap(mostProbable(probabilities, outputs), own?.classMap ?? classMap, outputs - 1);
      perCase.push(counts.map(dice));
      context.report('validating', ++done, total);
    }
    scores.push(scoreOf(collection.classes, perCase));
  }
  return scores;
}

function scoreOf(classes: readonly { readonly name: string }[], perCase: readonly (readonly number[])[]): BranchScore {
  if (perCase.length === 0) return { dice: null, classes: [] };
  const each = classes.map(({ name }, index) => ({ name, dice: mean(perCase.map((scores) => scores[index] ?? NaN)) }));
  return { dice: mean(each.map((entry) => entry.dice)), classes: each };
}

/** The number of the most probable class of each voxel, 0 for background; of equal ones the first. */
export function mostProbable(probabilities: Float32Array, outputs: number): Uint8Array {
  const map = new Uint8Array(probabilities.length / outputs);
  for (let voxel = 0; voxel < map.length; voxel++) {
    const first = voxel * outputs;
    let best = 0;
    for (let output = 1; output < outputs; output++) {
      if ((probabilities[first + output] as number) > (probabilities[first + best] as number)) best = output;
    }
    map[voxel] = best;
  }
  return map;
}
