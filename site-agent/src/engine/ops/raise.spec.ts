import type { Activation } from '../activation.js';
import { castAndFree } from '../cast-tensor.js';
import { openRuntime } from '../open-runtime.js';
import { Parameter } from '../parameters.js';
import { PartedActivation } from '../parted-activation.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import { Tape } from '../tape.js';
import { convolve } from './convolution.js';
import { raise, raiseNearest } from './raise.js';

const runtime = openRuntime({ threads: 2 });

/** Raised to 32 × 32 × 32 voxels these are more than one part, and the last part is no multiple of 16 channels. */
const CHANNELS = 139;
const BELOW = [1, 16, 16, 16] as const;
const SKIP = [1, 32, 32, 32, 3] as const;

function made(count: number, seed: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => Math.sin((i + 1) * 12.9898 + seed) / 4);
}

function upload(shape: readonly number[], seed: number): ReturnType<typeof runtime.tensor> {
  const count = shape.reduce((product, side) => product * side, 1);
  return runtime.tensor(made(count, seed), shape);
}

function parameter(shape: readonly number[], seed: number): Parameter {
  const result = new Parameter(runtime, 'p', shape);
  const count = shape.reduce((product, side) => product * side, 1);
  result.load(made(count, seed));
  return result;
}

type Way = (tape: Tape, below: Activation) => Activation;

/** The values, and whether they came in parts, of a convolution over what is raised beside a skip. */
function levelOf(recording: boolean, way: Way, below: readonly number[], trained: readonly Parameter[]): LevelResult {
  const before = runtime.liveTensors() - runtime.constantCount;
  const tape = new Tape(runtime, recording);
  const filter = parameter([2, CHANNELS + 3, 3, 3, 3], 3);
  const raised = tape.scope('up', () => way(tape, tape.input(upload(below, 1))));
  const parted = raised instanceof PartedActivation;
  const output = convolve(tape, [raised, tape.input(upload(SKIP, 2))], filter);
  const values = runtime.read(output.tensor);
  if (recording) {
    tape.backward(output, output.tensor);
    for (const each of [filter, ...trained]) each.dropGradient();
  } else output.tensor.free();
  filter.dispose();
  return { values, parted, leaked: runtime.liveTensors() - runtime.constantCount - before };
}

interface LevelResult {
  readonly values: Float32Array;
  readonly parted: boolean;
  readonly leaked: number;
}

function largestDifference(left: Float32Array, right: Float32Array): number {
  return left.reduce((most, value, i) => Math.max(most, Math.abs(value - (right[i] as number))), 0);
}

describe('what a U-Net raises', () => {
  const [filter, bias] = [parameter([8, CHANNELS, 2, 2, 2], 4), parameter([CHANNELS], 5)];
  afterAll(() => {
    for (const each of [filter, bias]) each.dispose();
  });

  const byTransposed: Way = (tape, below) => raise(tape, below, filter, bias);

  it.each([
    ['by a transposed convolution', byTransposed, [...BELOW, 8]],
    ['by repeating voxels', raiseNearest, [...BELOW, CHANNELS]],
  ])('%s comes in parts where there is no way back, with the same result', (_way, way, below) => {
    const whole = levelOf(true, way, below, [filter, bias]);
    const parts = levelOf(false, way, below, []);
    expect(whole).toMatchObject({ parted: false, leaked: 0 });
    expect(parts).toMatchObject({ parted: true, leaked: 0 });
    expect(Math.max(...whole.values)).toBeGreaterThan(0.1);
    expect(largestDifference(parts.values, whole.values)).toBeLessThan(1e-5);
  });

  it('is joined for a reader that wants it whole', () => {
    const tape = new Tape(runtime, false);
    const before = runtime.liveTensors() - runtime.constantCount;
    const raised = raise(tape, tape.input(upload([...BELOW, 8], 1)), filter, bias);
    expect(raised.shape).toEqual([1, 32, 32, 32, CHANNELS]);
    expect(raised.tensor.shape).toEqual(raised.shape);
    expect(raised.tensor).toBe(raised.tensor);
    const tail = parameter([1, CHANNELS, 1, 1, 1], 6);
    const output = convolve(tape, raised, tail); // the whole is what it reads then
    output.tensor.free();
    tail.dispose();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });

  it.each([
    ['where it is small', [1, 2, 2, 2, 8], DATA_TYPE.float32],
    ['in bfloat16, where convolutions read their inputs side by side', [...BELOW, 8], DATA_TYPE.bfloat16],
  ])('is whole %s', (_where, shape, dataType) => {
    const tape = new Tape(runtime, false);
    const below = castAndFree(runtime, upload(shape, 1), dataType);
    const raised = raise(tape, tape.input(below), filter, bias);
    expect(raised).not.toBeInstanceOf(PartedActivation);
    raised.tensor.free();
  });
});
