import type { PooledHead } from '@consilium/shared/models';
import type { Activation } from '../engine/activation.js';
import { globalAveragePool } from '../engine/ops/average-pooling.js';
import { rectify } from '../engine/ops/rectify.js';
import { connected, type NetworkPass } from './network-pass.js';

/** Global average → linear → ReLU → linear: [examples, x, y, z, features] → logits [examples, outputs]. */
export function answerWithHead(pass: NetworkPass, { name }: PooledHead, input: Activation): Activation {
  const { tape } = pass;
  return tape.scope(name, () => {
    const hidden = connected(pass, `${name}.0`, globalAveragePool(tape, input));
    return connected(pass, `${name}.2`, rectify(tape, hidden));
  });
}
