/**
 * What the validations so far say about the next steps: learning rate, best step, early stop (spec A7's schedule). All of it
 * is folded from the list of losses, so that a resumed run decides as the undisturbed one did.
 */
import type { FinetuneTraining } from './segmentation-task.js';

export interface Outlook {
  readonly learningRate: number;
  /** The step with the lowest validation loss; undefined before the first validation. */
  readonly bestStep: number | undefined;
  readonly bestLoss: number;
  /** True when the loss has not improved for `earlyStopPatience` validations. */
  readonly stop: boolean;
}

export function outlook(
  validations: readonly { readonly step: number; readonly loss: number }[],
  plan: Pick<FinetuneTraining, 'learningRate' | 'plateau' | 'earlyStopPatience'>,
): Outlook {
  let learningRate = plan.learningRate;
  let [bestStep, bestLoss]: [number | undefined, number] = [undefined, Infinity];
  let [reference, sinceReference, sinceCut] = [Infinity, 0, 0];
  for (const { step, loss } of validations) {
    if (loss < bestLoss) [bestStep, bestLoss] = [step, loss];
    if (loss < reference - plan.plateau.minimumDelta) {
      [reference, sinceReference, sinceCut] = [loss, 0, 0];
      continue;
    }
    sinceReference++;
    if (++sinceCut >= plan.plateau.patience) {
      learningRate = Math.max(Math.min(learningRate, plan.plateau.floor), learningRate * plan.plateau.factor);
      sinceCut = 0;
    }
  }
  return { learningRate, bestStep, bestLoss, stop: sinceReference >= plan.earlyStopPatience };
}
