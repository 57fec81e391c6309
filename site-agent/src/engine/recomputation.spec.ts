import { type LayerCall, type LayerValues, runLayer, type Dense } from '../../../test/fixtures/run-layer.js';
import { Random } from '@consilium/shared/kernel';
import type { Activation } from './activation.js';
import { openRuntime } from './open-runtime.js';
import { add } from './ops/addition.js';
import { addBias } from './ops/bias.js';
import { globalAveragePool } from './ops/average-pooling.js';
import { convolve } from './ops/convolution.js';
import { dropout, spatialDropout } from './ops/dropout.js';
import { linear } from './ops/linear.js';
import { maxPool } from './ops/max-pooling.js';
import { upsampleNearest } from './ops/nearest-upsampling.js';
import { normaliseLeaky } from './ops/normalise.js';
import { convolveTransposed } from './ops/transposed-convolution.js';
import { upsampleTrilinear } from './ops/trilinear-upsampling.js';
import { Runtime } from './runtime/runtime.js';
import type { Precision, Tape } from './tape.js';

type Block = LayerCall;

const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };
const INPUT = [2, 6, 4, 8, 3];

/** Blocks of layers over one or two inputs, with the shapes of their two parameters. */
const BLOCKS: Readonly<Record<string, { parameters: readonly (readonly number[])[]; joined?: boolean; block: Block }>> = {
  'convolution and norm': {
    parameters: [[3, 3, 3, 3, 3], [3]],
    block: (tape, [input], [filter, scale]) =>
      normaliseLeaky(tape, convolve(tape, input, filter), scale, scale, 0, { over: 'instance' }),
  },
  'a residual unit with dropout': {
    parameters: [[3, 3, 3, 3, 3], [3]],
    block: (tape, [input], [filter, scale]) => {
      const inside = normaliseLeaky(tape, convolve(tape, input.keep(), filter), scale, scale, 0, { over: 'batch' });
      return add(tape, dropout(tape, inside, 0.4), input);
    },
  },
  'two inputs read jointly, after dropout of whole channels': {
    parameters: [[2, 6, 3, 3, 3], [2]],
    joined: true,
    block: (tape, [first, second], [filter, scale]) =>
      normaliseLeaky(tape, convolve(tape, [spatialDropout(tape, first, 0.5), second], filter), scale, scale, 0, {
        over: 'batch',
      }),
  },
  'pooling and both up-samplings': {
    parameters: [[3, 3, 2, 2, 2], [3]],
    block: (tape, [input], [filter, offset]) => {
      const pooled = maxPool(tape, input, { kernel: 3, stride: 2, padding: 1 });
      const raised = addBias(tape, convolveTransposed(tape, pooled.keep(), filter), offset);
      return add(tape, add(tape, raised, upsampleNearest(tape, pooled.keep())), upsampleTrilinear(tape, pooled, { factor: 2 }));
    },
  },
  'a head with two dropouts': {
    parameters: [[5, 3], [5]],
    block: (tape, [input], [weight, offset]) => {
      const pooled = globalAveragePool(tape, dropout(tape, input, 0.5));
      return dropout(tape, addBias(tape, linear(tape, pooled, weight), offset), 0.3);
    },
  },
};

function made(random: Random, shape: readonly number[]): Dense {
  const count = shape.reduce((product, side) => product * side, 1);
  return { shape, values: new Float64Array(count).map(() => 2 * random.uniform() - 1) };
}

/** A dropout before and one after the block: they must draw the same whether or not the block is computed again. */
function amidDropouts(run: (tape: Tape, inputs: readonly Activation[]) => Activation): LayerCall {
  return (tape, [first, second]) => {
    const inputs = [dropout(tape, first, 0.2), ...(second === undefined ? [] : [second])];
    return dropout(tape, run(tape, inputs), 0.2);
  };
}

describe.each(Object.entries(RUNTIMES))('a block computed again, with %s kernels', (_kind, runtime) => {
  describe.each(['f32', 'bf16'] as const)('in %s', (precision: Precision) => {
    it.each(Object.keys(BLOCKS))('%s: the same bits as a block that is kept', (name) => {
      const { parameters, joined, block } = BLOCKS[name] as (typeof BLOCKS)[string];
      const random = new Random(name);
      const values: LayerValues = {
        inputs: (joined === true ? [INPUT, INPUT] : [INPUT]).map((shape) => made(random, shape)),
        parameters: parameters.map((shape) => made(random, shape)),
      };
      const kept: LayerCall = (tape, inputs, trained) =>
        amidDropouts((inner, given) => block(inner, given as unknown as typeof inputs, trained))(tape, inputs, trained);
      const again: LayerCall = (tape, inputs, trained) =>
        amidDropouts((outer, given) =>
          outer.recompute(given, (inner, sources) => block(inner, sources as unknown as typeof inputs, trained)),
        )(tape, inputs, trained);
      const slope = (shape: readonly number[]): Dense => made(new Random(`${name}/slope`), shape);
      const expected = runLayer(runtime, kept, values, slope, precision);
      const actual = runLayer(runtime, again, values, slope, precision);
      expect(actual.output).toEqual(expected.output);
      expect(actual.gradients).toEqual(expected.gradients);
      expect(expected.gradients.every((gradient) => gradient.some((value) => value !== 0))).toBe(true);
      expect([actual.leaked, expected.leaked]).toEqual([0, 0]);
    });
  });
});
