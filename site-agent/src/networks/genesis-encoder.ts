/** The two-unit blocks of the Models Genesis U-Net and its encoder, which the classifier shares. */
import type { UnitPair } from '@consilium/shared/models';
import type { Activation } from '../engine/activation.js';
import { maxPool } from '../engine/ops/max-pooling.js';
import { biasedForNorm, convolution, type NetworkPass, normalisedRectified } from './network-pass.js';
import { hidesBias, type NormPlan } from './norm-plan.js';

/** The biases of these blocks that have no effect. */
export function idleBiases(blocks: readonly UnitPair[], norm: NormPlan): string[] {
  return hidesBias(norm) ? blocks.flatMap(({ name }) => [`${name}.0.bias`, `${name}.3.bias`]) : [];
}

/**
 * Blocks e1…e4 with pooling between them; the last block's output. `atLevel` sees each other block's output before it is pooled,
 * level 0 first: it keeps what it wants.
 */
export function encode(
  pass: NetworkPass,
  blocks: readonly UnitPair[],
  input: Activation,
  atLevel?: (output: Activation, level: number) => void,
): Activation {
  let current = input;
  for (const [level, block] of blocks.entries()) {
    const above = current;
    const read = level === 0 ? above : pass.tape.scope(`${block.name}.pool`, () => maxPool(pass.tape, above));
    current = unitPair(pass, block, [read]);
    if (level < blocks.length - 1) atLevel?.(current, level);
  }
  return current;
}

/** Two units; several inputs are read as if they lay side by side along the channels. */
export function unitPair(pass: NetworkPass, { name }: UnitPair, inputs: readonly Activation[]): Activation {
  return pass.tape.block(name, inputs, (tape, read) => {
    const inner = { ...pass, tape };
    return unit(inner, name, ['3', '4'], [unit(inner, name, ['0', '1'], read)]);
  });
}

function unit(
  pass: NetworkPass,
  block: string,
  [filter, norm]: readonly [string, string],
  inputs: readonly Activation[],
): Activation {
  const { tape } = pass;
  const name = `${block}.${filter}`;
  const convolved = tape.scope(filter, () => biasedForNorm(pass, name, convolution(pass, name, inputs)));
  return tape.scope(norm, () => normalisedRectified(pass, `${block}.${norm}`, convolved));
}
