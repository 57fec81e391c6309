import { createHash } from 'node:crypto';
import { norm, NORMS } from '../../../../test/fixtures/checked-layers/norms.js';
import {
  type CheckedLayer,
  checkLayer,
  comparePrecisions,
  largestDifference,
  relativeDifference,
} from '../../../../test/fixtures/gradient-check.js';
import { type LayerCall, type LayerResult, runLayer } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { Parameter } from '../parameters.js';
import { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import { ShapeBinding } from '../shapes/shape-binding.js';
import { Statistic } from '../statistic.js';
import { Tape } from '../tape.js';
import { add } from './addition.js';
import type { RunningStatistics } from './batch-statistics.js';
import { cast } from './cast.js';
import { gelu } from './gelu.js';
import { normalise, normaliseLeaky, type NormOptions } from './normalise.js';
import { leakyRectify } from './rectify.js';

const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };
const GIVEN = { mean: [0.3, -0.2, 0], variance: [2, 0.5, 0] };

function statistics(mean: readonly number[], variance: readonly number[], momentum?: number): RunningStatistics {
  const make = (name: string, values: readonly number[]): Statistic => {
    const statistic = new Statistic(native, name, [values.length]);
    statistic.load(Float32Array.from(values));
    return statistic;
  };
  return {
    mean: make('running_mean', mean),
    variance: make('running_var', variance),
    ...(momentum === undefined ? {} : { momentum }),
  };
}

function dispose({ mean, variance }: RunningStatistics): void {
  mean.dispose();
  variance.dispose();
}

describe('norms', () => {
  const running = statistics(GIVEN.mean, GIVEN.variance);
  const frozen = { over: 'batch', running, frozen: true } as const;
  const LAYERS: Record<string, CheckedLayer> = {
    ...NORMS,
    'frozen batch norm': norm([2, 3, 2, 1, 3], frozen, GIVEN),
    'frozen batch norm, epsilon 1e-3, and ReLU': norm([1, 2, 3, 1, 3], { ...frozen, epsilon: 1e-3, negativeSlope: 0 }, GIVEN),
    'frozen batch norm and leaky ReLU': norm([1, 2, 3, 1, 3], { ...frozen, negativeSlope: 0.1 }, GIVEN),
  };
  afterAll(() => dispose(running));

  describe.each(Object.entries(RUNTIMES))('with %s kernels', (_kind, runtime) => {
    it.each(Object.keys(LAYERS))('%s: as the reference and its central differences in 64 bits', (name) => {
      // A channel whose given variance is 0 magnifies 316 times: errors are relative to the largest value.
      const layer = LAYERS[name] as CheckedLayer;
      const size = name.startsWith('frozen') ? 400 : 1;
      const errors = checkLayer(runtime, layer);
      expect(errors.output).toBeLessThan(2e-6 * size);
      expect(errors.gradients).toHaveLength(3);
      expect(Math.max(...errors.gradients)).toBeLessThan(5e-5 * size);
      expect(errors.leaked).toBe(0);
    });

    it.each(Object.keys(LAYERS))('%s: in bfloat16 as in 32 bits but for rounding', (name) => {
      const errors = comparePrecisions(runtime, LAYERS[name] as CheckedLayer);
      expect(errors.output).toBeLessThan(2 ** -8 + 1e-6);
      expect(Math.max(...errors.gradients)).toBeLessThan(2 ** -6);
      expect(errors.leaked).toBe(0);
    });
  });
});

/** Values in no order, with both signs. */
function scattered(shape: readonly number[], salt: number): { shape: readonly number[]; values: Float64Array } {
  const count = shape.reduce((product, side) => product * side, 1);
  return { shape, values: new Float64Array(count).map((_, i) => Math.fround((((i + salt) * 7919) % 1009) / 504.5 - 1)) };
}

function pass(runtime: Runtime, layer: LayerCall, shape: readonly number[], precision: 'f32' | 'bf16' = 'f32'): LayerResult {
  const channels = shape[shape.length - 1] as number;
  const parameters = [scattered([channels], 1), scattered([channels], 2)];
  return runLayer(runtime, layer, { inputs: [scattered(shape, 3)], parameters }, scattered(shape, 4), precision);
}

describe('norms on shapes alone', () => {
  it.each(Object.keys(NORMS))('%s', (name) => {
    const { run, inputs, parameters } = NORMS[name] as CheckedLayer;
    const zeros = (shape: readonly number[]): ReturnType<typeof scattered> => scattered(shape, 0);
    const shapes = new Runtime(new ShapeBinding(), native.native);
    const values = { inputs: inputs.map(zeros), parameters: parameters.map(zeros) };
    const { shape, leaked } = runLayer(shapes, run, values, zeros(inputs[0] ?? []));
    expect([shape, leaked]).toEqual([inputs[0], 0]);
  });

  it('keep no marks of where the ReLU cut: input, output and statistics, no more', () => {
    const binding = new ShapeBinding();
    const shapes = new Runtime(binding, { ...native.native, normaliseRectify: true });
    const shape = [1, 16, 16, 16, 8];
    const tape = new Tape(shapes, true);
    const [scale, offset] = [new Parameter(shapes, 'scale', [8]), new Parameter(shapes, 'offset', [8])];
    for (const parameter of [scale, offset]) parameter.load(new Float32Array(8));
    const input = tape.input(shapes.tensor(new Float32Array(16 ** 3 * 8), shape));
    const before = binding.liveBytes;
    normalise(tape, input, scale, offset, { over: 'batch', negativeSlope: 0 });
    expect(binding.liveBytes - before).toBeLessThan(16 ** 3 * 8 * 4 + 1024);
  });
});

describe('a norm that rectifies', () => {
  it.each([0, 0.01])('has the values of a norm and a leaky ReLU of slope %d', (slope) => {
    const fused: LayerCall = (tape, [x], [scale, offset]) => normaliseLeaky(tape, x, scale, offset, slope, { over: 'instance' });
    const apart: LayerCall = (tape, [x], [scale, offset]) =>
      leakyRectify(tape, normalise(tape, x, scale, offset, { over: 'instance' }), slope);
    expect(pass(native, fused, [2, 3, 4, 5, 3])).toEqual(pass(native, apart, [2, 3, 4, 5, 3]));
  });
});

describe('norms in bfloat16', () => {
  // 4,096 voxels: sums of so many values in bfloat16 would stop growing at 256.
  const SHAPE = [1, 16, 16, 16, 16];
  const running = statistics(new Array<number>(16).fill(0.25), new Array<number>(16).fill(0.5));
  const WAYS: Record<string, NormOptions> = {
    batch: { over: 'batch' },
    instance: { over: 'instance' },
    group: { over: { groups: 4 } },
    frozen: { over: 'batch', running, frozen: true },
  };
  afterAll(() => dispose(running));

  it.each(Object.keys(WAYS))('sum statistics and parameter gradients in 32 bits: %s', (way) => {
    const layer: LayerCall = (tape, [x], [scale, offset]) => normalise(tape, x, scale, offset, WAYS[way] as NormOptions);
    const slope = scattered(SHAPE, 4).values.map((value) => 1 + value); // one sign, so that the sums are long
    const values = { inputs: [scattered(SHAPE, 3)], parameters: [scattered([16], 1), scattered([16], 2)] };
    const [exact, coarse] = (['f32', 'bf16'] as const).map((precision) =>
      runLayer(native, layer, values, { shape: SHAPE, values: slope }, precision),
    ) as [LayerResult, LayerResult];
    expect(relativeDifference(coarse.output, exact.output)).toBeLessThan(2 ** -7); // input and output are rounded
    expect(relativeDifference(coarse.gradients[2] ?? [], exact.gradients[2] ?? [])).toBeLessThan(2 ** -12); // roundings average out
    const sums = largestDifference(coarse.gradients[1] ?? [], exact.gradients[1] ?? []);
    expect(sums / 4096).toBeLessThan(2 ** -12); // of terms about 1
  });
});

describe('a norm of 32 bits on a bfloat16 tape', () => {
  it.each([undefined, 0, 0.1])('has an output of the tape’s type and a gradient of its input’s, slope %s', (negativeSlope) => {
    const types: number[] = [];
    const layer: LayerCall = (tape, [x], [scale, offset]) => {
      const exact = cast(tape, x, DATA_TYPE.float32);
      const options = { over: 'instance', ...(negativeSlope === undefined ? {} : { negativeSlope }) } as const;
      const output = normalise(tape, exact, scale, offset, options);
      types.push(exact.dataType, output.dataType);
      const addGradient = exact.addGradient.bind(exact);
      exact.addGradient = (gradient) => {
        types.push(gradient.dataType);
        addGradient(gradient);
      };
      return output;
    };
    const { leaked } = pass(native, layer, [2, 3, 4, 5, 3], 'bf16');
    expect(types).toEqual([DATA_TYPE.float32, DATA_TYPE.bfloat16, DATA_TYPE.float32]);
    expect(leaked).toBe(0);
  });
});

describe('running statistics', () => {
  const SHAPE = [2, 3, 1, 5, 3];
  const values = scattered(SHAPE, 3);

  function forward(
    running: RunningStatistics,
    options: { training: boolean; recording?: boolean; frozen?: boolean },
  ): Float32Array {
    const { training, recording = false, frozen = false } = options;
    const tape = new Tape(native, recording, { training });
    const [scale, offset] = [new Parameter(native, 'scale', [3]), new Parameter(native, 'offset', [3])];
    scale.load(Float32Array.of(1, 2, -1));
    offset.load(Float32Array.of(0, 0.5, 1));
    const input = tape.input(native.tensor(Float32Array.from(values.values), SHAPE));
    const result = normalise(tape, input, scale, offset, { over: 'batch', running, frozen });
    const output = native.read(result.tensor);
    result.tensor.free();
    if (recording) tape.backward(result, native.tensor(new Float32Array(output.length), SHAPE));
    scale.dispose();
    offset.dispose();
    return output;
  }

  it('move in training, also on a tape that does not record, and by their momentum', () => {
    const [slow, fast] = [statistics([1, 0, 0], [1, 1, 1]), statistics([1, 0, 0], [1, 1, 1], 1)];
    forward(slow, { training: true });
    forward(fast, { training: true, recording: true });
    const [mean, batchMean] = [slow.mean.read(), fast.mean.read()];
    const [variance, batchVariance] = [slow.variance.read(), fast.variance.read()];
    const moved = (before: number, batch: Float32Array): Float32Array => batch.map((value) => 0.9 * before + 0.1 * value);
    expect(largestDifference(mean.subarray(1), moved(0, batchMean).subarray(1))).toBeLessThan(1e-7);
    expect(largestDifference(variance, moved(1, batchVariance))).toBeLessThan(1e-6);
    const channel = Array.from(values.values).filter((_, i) => i % 3 === 1);
    const centre = channel.reduce((sum, value) => sum + value, 0) / channel.length;
    expect(batchMean[1]).toBeCloseTo(centre, 6);
    const squares = channel.reduce((sum, value) => sum + (value - centre) ** 2, 0);
    expect(batchVariance[1]).toBeCloseTo(squares / (channel.length - 1), 6); // unbiased
    for (const each of [slow, fast]) dispose(each);
  });

  it('stay, and are used, outside training and when frozen', () => {
    const running = statistics([0.3, -0.2, 0.1], [2, 0.5, 1]);
    const outputs = [
      forward(running, { training: false }),
      forward(running, { training: false, recording: true }),
      forward(running, { training: true, recording: true, frozen: true }),
    ];
    const wanted = values.values.map((x, i) => {
      const c = i % 3;
      const [mean, variance] = [[0.3, -0.2, 0.1][c], [2, 0.5, 1][c]] as [number, number];
      return ((x - mean) / Math.sqrt(variance + 1e-5)) * ([1, 2, -1][c] as number) + ([0, 0.5, 1][c] as number);
    });
    for (const output of outputs) expect(largestDifference(output, wanted)).toBeLessThan(1e-6);
    expect(running.mean.read()).toEqual(Float32Array.of(0.3, -0.2, 0.1));
    expect(running.variance.read()).toEqual(Float32Array.of(2, 0.5, 1));
    dispose(running);
  });

  it('move once when a block is computed again for its gradient', () => {
    const [plain, again] = [statistics([0, 0, 0], [1, 1, 1]), statistics([0, 0, 0], [1, 1, 1])];
    const layer =
      (running: RunningStatistics, recompute: boolean): LayerCall =>
      (tape, [x], [scale, offset]) =>
        recompute
          ? tape.recompute([x], (inner, [read]) =>
              normalise(inner, read as typeof x, scale, offset, { over: 'batch', running, negativeSlope: 0.1 }),
            )
          : normalise(tape, x, scale, offset, { over: 'batch', running, negativeSlope: 0.1 });
    const [first, second] = [pass(native, layer(plain, false), SHAPE), pass(native, layer(again, true), SHAPE)];
    expect(second).toEqual(first);
    expect(again.mean.read()).toEqual(plain.mean.read());
    expect(again.variance.read()).toEqual(plain.variance.read());
    for (const each of [plain, again]) dispose(each);
  });
});

describe('norms whose output is made again', () => {
  const SHAPE = [2, 32, 32, 32, 32]; // 8 MiB: worth it
  const VALUES = new Float32Array(2 * 32 ** 4);
  for (let i = 0; i < VALUES.length; i++) VALUES[i] = ((i * 7919) % 1009) / 504.5 - 1;

  it.each(['batch', 'instance', { groups: 4 }] as const)('give the same bits over %j and leave nothing behind', (over) => {
    const [plain, lean] = (['plain', 'lean'] as const).map((memory) => leanPass(over, memory));
    expect(lean).toEqual(plain);
  });

  /** Two readers of the norm's output, which is 8 MiB: their gradients, sums only. */
  function leanPass(over: NormOptions['over'], memory: 'plain' | 'lean'): unknown {
    const before = native.liveTensors() - native.constantCount;
    const tape = new Tape(native, true, { memory });
    const [scale, offset] = [new Parameter(native, 'scale', [32]), new Parameter(native, 'offset', [32])];
    scale.load(Float32Array.from(scattered([32], 1).values));
    offset.load(Float32Array.from(scattered([32], 2).values));
    const input = tape.input(native.tensor(VALUES.slice(), SHAPE), true);
    const normed = normalise(tape, input, scale, offset, { over, negativeSlope: 0.1 });
    const result = add(tape, gelu(tape, normed.keep()), gelu(tape, normed, 'tanh'));
    const digest = (values: Float32Array): string => createHash('sha256').update(values).digest('hex');
    const digests = [digest(native.read(result.tensor))];
    result.tensor.free();
    tape.backward(result, native.tensor(VALUES.toReversed(), SHAPE));
    const gradient = input.takeGradient();
    digests.push(digest(native.read(gradient)));
    gradient.free();
    for (const parameter of [scale, offset]) {
      digests.push(digest(parameter.readAndFreeGradient()));
      parameter.dispose();
    }
    return { digests, left: native.liveTensors() - native.constantCount - before };
  }
});

describe('a tape that does not record', () => {
  it.each(['batch', 'instance', { groups: 1 }] as const)('keeps nothing of a norm over %j', (over) => {
    const before = native.liveTensors() - native.constantCount;
    const [scale, offset] = [new Parameter(native, 'scale', [1]), new Parameter(native, 'offset', [1])];
    for (const parameter of [scale, offset]) parameter.load(Float32Array.of(1));
    const tape = new Tape(native, false);
    const input = tape.input(native.tensor(Float32Array.of(1, 2, 4, 8), [2, 1, 2, 1, 1]));
    normalise(tape, input, scale, offset, { over, negativeSlope: 0.01 }).tensor.free();
    for (const parameter of [scale, offset]) parameter.dispose();
    expect(native.liveTensors() - native.constantCount).toBe(before);
  });
});
