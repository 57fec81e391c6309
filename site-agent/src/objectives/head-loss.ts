/** The losses of the small heads: a few logits per example, so they are computed here in 64 bits and not in TensorFlow. */
import { FederationError } from '@consilium/shared/kernel';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { Tensor } from '../engine/tensor.js';

export interface HeadLoss {
  /** Mean over the examples. */
  readonly loss: number;
  /** d loss / d logits, row by row. */
  readonly gradient: Float32Array;
  /** Examples whose largest logit is that of their label. */
  readonly hits: number;
}

/**
 * Cross-entropy of the softmax of `logits` [examples, classes] against the labels, or against the even distribution: the loss of
 * an undecided head, least where all logits are alike (its least value is log classes). INVARIANT when a label is no class.
 */
export function headLoss(logits: Float32Array, labels: readonly number[], target: 'labels' | 'undecided' = 'labels'): HeadLoss {
  const examples = labels.length;
  const classes = logits.length / examples;
  const gradient = new Float32Array(logits.length);
  let [loss, hits] = [0, 0];
  for (const [example, label] of labels.entries()) {
    requireClass(label, classes);
    const row = logits.subarray(example * classes, (example + 1) * classes);
    const largest = row.reduce((most, value) => Math.max(most, value), -Infinity);
    const logSum = largest + Math.log(row.reduce((sum, value) => sum + Math.exp(value - largest), 0));
    for (const [i, value] of row.entries()) {
      const wanted = target === 'undecided' ? 1 / classes : Number(i === label);
      loss += wanted * (logSum - value);
      gradient[example * classes + i] = (Math.exp(value - logSum) - wanted) / examples;
    }
    if (row.indexOf(largest) === label) hits += 1;
  }
  return { loss: loss / examples, gradient, hits };
}

/** As {@link headLoss}, of a tensor that is only read; loss and gradient times `weight`. The caller owns the gradient. */
export function judgeHead(
  runtime: Runtime,
  logits: Tensor,
  labels: readonly number[],
  { weight, target }: { readonly weight: number; readonly target?: 'labels' | 'undecided' },
): { readonly loss: number; readonly gradient: Tensor; readonly hits: number } {
  const { loss, gradient, hits } = headLoss(runtime.read(logits), labels, target);
  const weighed = gradient.map((value) => value * weight);
  return { loss: loss * weight, gradient: runtime.tensor(weighed, logits.shape), hits };
}

function requireClass(label: number, classes: number): void {
  if (Number.isInteger(label) && label >= 0 && label < classes) return;
  throw new FederationError('INVARIANT', `the label ${label} is none of the ${classes} classes of a head`);
}
