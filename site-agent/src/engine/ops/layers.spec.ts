import { type CheckedLayer, checkLayer, type Dense } from '../../../../test/fixtures/gradient-check.js';
import { openRuntime } from '../open-runtime.js';
import { Runtime } from '../runtime/runtime.js';
import { addBias } from './bias.js';
import { concatenateChannels } from './concatenation.js';
import { convolve } from './convolution.js';
import { maxPool } from './max-pooling.js';
import { upsampleNearest } from './nearest-upsampling.js';
import { normaliseRectify } from './normalise-rectify.js';
import { convolveTransposed } from './transposed-convolution.js';

type Five = readonly [number, number, number, number, number];

const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };

/** Makes a dense array by calling a function at each place. */
function build(shape: Five, at: (n: number, x: number, y: number, z: number, c: number) => number): Dense {
  const [examples, sideX, sideY, sideZ, channels] = shape;
  const values: number[] = [];
  for (let n = 0; n < examples; n++)
    for (let x = 0; x < sideX; x++)
      for (let y = 0; y < sideY; y++)
        for (let z = 0; z < sideZ; z++) for (let c = 0; c < channels; c++) values.push(at(n, x, y, z, c));
  return { shape, values: Float64Array.from(values) };
}

/** The value at a place; zero outside. */
function get({ shape, values }: Dense, ...place: number[]): number {
  let index = 0;
  for (const [axis, at] of place.entries()) {
    const side = shape[axis] as number;
    if (at < 0 || at >= side) return 0;
    index = index * side + at;
  }
  return values[index] as number;
}

function convolution(shape: Five, outputs: number, side: number): CheckedLayer {
  const reach = (side - 1) / 2;
  return {
    inputs: [shape],
    parameters: [[outputs, shape[4], side, side, side]],
    run: (tape, [input], [filter]) => convolve(tape, input, filter),
    reference: ([input], [filter]) =>
      build([shape[0], shape[1], shape[2], shape[3], outputs], (n, x, y, z, o) => {
        let sum = 0;
        for (let i = 0; i < side; i++)
          for (let j = 0; j < side; j++)
            for (let k = 0; k < side; k++)
              for (let c = 0; c < shape[4]; c++)
                sum += get(input, n, x + i - reach, y + j - reach, z + k - reach, c) * get(filter, o, c, i, j, k);
        return sum;
      }),
  };
}

function transposed(shape: Five, outputs: number): CheckedLayer {
  return {
    inputs: [shape],
    parameters: [[shape[4], outputs, 2, 2, 2]],
    run: (tape, [input], [filter]) => convolveTransposed(tape, input, filter),
    reference: ([input], [filter]) =>
      build([shape[0], 2 * shape[1], 2 * shape[2], 2 * shape[3], outputs], (n, x, y, z, o) => {
        let sum = 0;
        for (let c = 0; c < shape[4]; c++)
          sum += get(input, n, x >> 1, y >> 1, z >> 1, c) * get(filter, c, o, x & 1, y & 1, z & 1);
        return sum;
      }),
  };
}

function bias(shape: Five): CheckedLayer {
  return {
    inputs: [shape],
    parameters: [[shape[4]]],
    run: (tape, [input], [values]) => addBias(tape, input, values),
    reference: ([input], [values]) => build(shape, (...place) => get(input, ...place) + get(values, place[4])),
  };
}

function norm(shape: Five, over: 'batch' | 'instance'): CheckedLayer {
  return {
    inputs: [shape],
    parameters: [[shape[4]], [shape[4]]],
    run: (tape, [input], [scale, offset]) => normaliseRectify(tape, input, scale, offset, over),
    reference: ([input], [scale, offset]) => {
      const channels = shape[4];
      const perExample = input.values.length / shape[0];
      const groupOf = (n: number, c: number): number => (over === 'batch' ? c : n * channels + c);
      const groups = Array.from({ length: shape[0] * channels }, (_, group) =>
        input.values.filter((_value, i) => groupOf(Math.floor(i / perExample), i % channels) === group),
      );
      const statistics = groups.map((values) => {
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        return { mean, deviation: Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length + 1e-5) };
      });
      return build(shape, (n, x, y, z, c) => {
        const { mean, deviation } = statistics[groupOf(n, c)] as { mean: number; deviation: number };
        return Math.max(0, ((get(input, n, x, y, z, c) - mean) / deviation) * get(scale, c) + get(offset, c));
      });
    },
  };
}

function pooling(shape: Five): CheckedLayer {
  return {
    inputs: [shape],
    parameters: [],
    run: (tape, [input]) => maxPool(tape, input),
    reference: ([input]) =>
      build([shape[0], shape[1] / 2, shape[2] / 2, shape[3] / 2, shape[4]], (n, x, y, z, c) => {
        const window = Array.from({ length: 8 }, (_, i) =>
          get(input, n, 2 * x + (i >> 2), 2 * y + ((i >> 1) & 1), 2 * z + (i & 1), c),
        );
        return Math.max(...window);
      }),
  };
}

function nearest(shape: Five): CheckedLayer {
  return {
    inputs: [shape],
    parameters: [],
    run: (tape, [input]) => upsampleNearest(tape, input),
    reference: ([input]) =>
      build([shape[0], 2 * shape[1], 2 * shape[2], 2 * shape[3], shape[4]], (n, x, y, z, c) =>
        get(input, n, x >> 1, y >> 1, z >> 1, c),
      ),
  };
}

function concatenation(first: Five, channels: number): CheckedLayer {
  const [n, x, y, z, c] = first;
  return {
    inputs: [first, [n, x, y, z, channels]],
    parameters: [],
    run: (tape, [a, b]) => concatenateChannels(tape, a, b),
    reference: ([a, b]) =>
      build([n, x, y, z, c + channels], (...place) => {
        const channel = place[4];
        const at = place.slice(0, 4);
        return channel < c ? get(a, ...at, channel) : get(b, ...at, channel - c);
      }),
  };
}

/** A skip: the same activation is read twice, so its gradient is the sum of both readers'. */
function readTwice(shape: Five): CheckedLayer {
  const [n, x, y, z, c] = shape;
  return {
    inputs: [shape],
    parameters: [[c]],
    run: (tape, [input], [values]) => concatenateChannels(tape, addBias(tape, input.keep(), values), input),
    reference: ([input], [values]) =>
      build([n, x, y, z, 2 * c], (...place) => {
        const at = place.slice(0, 4);
        return get(input, ...at, place[4] % c) + (place[4] < c ? get(values, place[4]) : 0);
      }),
  };
}

const LAYERS: Record<string, CheckedLayer> = {
  'convolution 3³, odd sides, one channel in': convolution([1, 3, 5, 2, 1], 3, 3),
  'convolution 3³, two examples, one channel out': convolution([2, 3, 3, 3, 2], 1, 3),
  'convolution 3³ on a single voxel': convolution([1, 1, 1, 1, 3], 2, 3),
  'convolution 1³': convolution([2, 3, 1, 2, 3], 2, 1),
  'transposed convolution, odd sides': transposed([1, 3, 1, 2, 3], 2),
  'transposed convolution, two examples, one channel': transposed([2, 1, 2, 3, 1], 1),
  bias: bias([2, 3, 1, 2, 3]),
  'norm and ReLU over two examples': norm([2, 3, 2, 1, 3], 'batch'),
  'norm and ReLU of one example and channel': norm([1, 3, 3, 3, 1], 'batch'),
  'norm and ReLU, many channels': norm([1, 2, 2, 3, 17], 'batch'),
  'instance norm and ReLU of three examples': norm([3, 3, 1, 2, 3], 'instance'),
  'instance norm and ReLU of one example': norm([1, 2, 3, 2, 2], 'instance'),
  'maximum pooling': pooling([2, 2, 4, 6, 3]),
  'maximum pooling to one voxel': pooling([1, 2, 2, 2, 1]),
  'nearest up-sampling, odd sides': nearest([2, 1, 3, 2, 3]),
  'nearest up-sampling of one voxel': nearest([1, 1, 1, 1, 1]),
  concatenation: concatenation([2, 1, 3, 2, 3], 2),
  'an activation with two readers': readTwice([1, 2, 3, 1, 2]),
};

describe.each(Object.entries(RUNTIMES))('layers with %s kernels, against central differences in 64 bits', (_kind, runtime) => {
  it.each(Object.keys(LAYERS))('%s', (name) => {
    const layer = LAYERS[name] as CheckedLayer;
    const errors = checkLayer(runtime, layer);
    expect(errors.output).toBeLessThan(1e-5);
    expect(errors.gradients).toHaveLength(layer.inputs.length + layer.parameters.length);
    expect(Math.max(...errors.gradients)).toBeLessThan(2e-4);
    expect(errors.leaked).toBe(0);
  });
});

describe('the gradient check itself', () => {
  it('finds a layer that differs from its reference', () => {
    const right = convolution([1, 2, 2, 2, 1], 1, 1);
    const wrong: CheckedLayer = {
      ...right,
      reference: (inputs, parameters) => {
        const { shape, values } = right.reference(inputs, parameters);
        return { shape, values: values.map((value) => 1.01 * value) };
      },
    };
    const errors = checkLayer(native, wrong);
    expect(errors.output).toBeGreaterThan(1e-3);
    expect(Math.min(...errors.gradients)).toBeGreaterThan(1e-4);
  });
});
