import { invariant } from '@consilium/shared/kernel';
import { ADVERSARY_PREFIX, SCALE_PREFIX } from '@consilium/shared/models';
import type { Loss } from '../engine/losses/loss.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { Tensor } from '../engine/tensor.js';
import type { Network } from '../networks/network.js';
import { isUniversal } from '../networks/universal.js';
import type { Objective, Turn, WantedOf } from './objective.js';

/**
 * One loss of the network's answer: what Models Genesis and fine-tuning train. Of a network with heads it trains all but the
 * heads.
 */
export function answerObjective(network: Network, loss: Loss): Objective {
  const trains = isUniversal(network) ? isBackbone : () => true;
  const turn: Turn = {
    updates: ['all'],
    separable: loss.separable,
    forward: (tape, parameters, input) => [network.forward(tape, parameters, input)],
    judge(runtime, answers, wanted, share) {
      const [logits] = answers as [Tensor];
      const target = targetTensor(runtime, wanted, logits, loss.targetChannels);
      const { loss: value, gradient } = loss.evaluate(runtime, logits, target, share);
      target.free();
      return { loss: value, gradients: [gradient] };
    },
  };
  return { parts: [{ name: 'all', holds: trains }], turnsOf: () => [turn] };
}

/** The targets as a tensor, shaped like the logits but for their channels; the caller owns it. */
export function targetTensor(
  runtime: Runtime,
  { examples, target }: WantedOf,
  logits: Tensor,
  channels = logits.shape[logits.shape.length - 1] as number,
): Tensor {
  const shape = [examples, ...logits.shape.slice(1, -1), channels];
  const values = shape.reduce((product, side) => product * side, 1);
  invariant(target.length === values, 'a batch has a target value for each of the network’s answers');
  return runtime.tensor(target, shape);
}

function isBackbone(parameter: string): boolean {
  return !parameter.startsWith(SCALE_PREFIX) && !parameter.startsWith(ADVERSARY_PREFIX);
}
