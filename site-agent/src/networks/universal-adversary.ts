/**
 * The modality adversary of the Universal Model (Zhang et al., arXiv 2010.06107): three convolutions that each read an encoder
 * level beside what the one before gave. Its layers are this project's defaults (spec C5). Instance norm, because statistics over
 * a mixed batch would tell it the modalities.
 */
import type { AdversaryPlan, AdversaryStage } from '@consilium/shared/models';
import type { Activation } from '../engine/activation.js';
import { globalAveragePool } from '../engine/ops/average-pooling.js';
import { leakyRectify } from '../engine/ops/rectify.js';
import { connected, convolution, type NetworkPass, normalisedLeaky } from './network-pass.js';
import type { NormPlan } from './norm-plan.js';

/** Of negative values in its leaky ReLUs. */
const SLOPE = 0.2;

const INSTANCE_NORM: NormPlan = { choice: { norm: 'instance' }, running: false };

/** Biases that its instance norms take away again. */
export function idleAdversaryBiases({ stages }: AdversaryPlan): string[] {
  return stages.map(({ name }) => `${name}.0.bias`);
}

/**
 * Logits [examples, modalities] from the outputs of encoder levels 2, 3 and 4, each half as large along every side as the one
 * before; takes over an ownership of each.
 */
export function judgeModality(pass: NetworkPass, { stages }: AdversaryPlan, levels: readonly Activation[]): Activation {
  const { tape, parameters } = pass;
  const inner: NetworkPass = { tape, parameters, norm: INSTANCE_NORM };
  let read: readonly Activation[] = [];
  for (const [i, stage] of stages.entries()) read = [halve(inner, stage, [...read, levels[i] as Activation])];
  return tape.scope('modality.head', () => {
    const hidden = connected(inner, 'modality.head.0', globalAveragePool(tape, read[0] as Activation));
    return connected(inner, 'modality.head.2', leakyRectify(tape, hidden, SLOPE));
  });
}

function halve(pass: NetworkPass, { name }: AdversaryStage, inputs: readonly Activation[]): Activation {
  return pass.tape.block(name, inputs, (tape, read) => {
    const inner = { ...pass, tape };
    return normalisedLeaky(inner, `${name}.1`, convolution(inner, `${name}.0`, read, { stride: 2 }), SLOPE);
  });
}
