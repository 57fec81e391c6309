import { Parameter } from './parameters.js';
import { maxPool, type MaxPoolOptions } from './ops/max-pooling.js';
import { normaliseLeaky } from './ops/normalise.js';
import { type NativeKernels, PUBLIC_ONLY, Runtime } from './runtime/runtime.js';
import type { TensorflowBinding } from './runtime/tensorflow-binding.js';
import { Tape } from './tape.js';
import type { Activation } from './activation.js';

/** Channels that are no multiple of a vector register, so that padded layouts are tried too. */
const SHAPE = [2, 4, 6, 2, 3] as const;
const TOLERANCE = 1e-4;
/** Halving as in a U-Net, overlapping windows with padding as in a ResNet, and windows that differ by axis. */
const POOLINGS: readonly MaxPoolOptions[] = [{}, { kernel: 3, stride: 2, padding: 1 }, { kernel: [1, 2, 2] }];

/**
 * Tries each private oneDNN kernel against TensorFlow's public operation, forward and backward, and names those that agree.
 * They are private, so another release may lack or change them; then the slower public ones are used. A GPU has none.
 */
export function probeNativeKernels(binding: TensorflowBinding): NativeKernels {
  if (binding.isUsingGpuDevice()) return PUBLIC_ONLY;
  return {
    maxPooling: POOLINGS.every((options) => agrees(binding, 'maxPooling', (tape, input) => maxPool(tape, input, options))),
    normaliseRectify: agrees(binding, 'normaliseRectify', (tape, input) => {
      const { runtime } = tape;
      const [scale, offset] = [new Parameter(runtime, 'scale', [SHAPE[4]]), new Parameter(runtime, 'offset', [SHAPE[4]])];
      scale.load(Float32Array.of(1.5, 0.5, 1));
      offset.load(Float32Array.of(0.1, -0.2, 0));
      const output = normaliseLeaky(tape, input, scale, offset, 0, { over: 'batch' });
      return { output, dispose: () => [scale, offset].map((parameter) => parameter.dispose()) };
    }),
  };
}

type Layer = (tape: Tape, input: Activation) => Activation | { output: Activation; dispose(): void };

function agrees(binding: TensorflowBinding, kernel: keyof NativeKernels, layer: Layer): boolean {
  const expected = outputAndGradient(new Runtime(binding, PUBLIC_ONLY), layer);
  try {
    const actual = outputAndGradient(new Runtime(binding, { ...PUBLIC_ONLY, [kernel]: true }), layer);
    return (
      actual.length === expected.length && actual.every((value, i) => Math.abs(value - (expected[i] as number)) <= TOLERANCE)
    );
  } catch {
    return false; // the kernel is unknown or refuses its attributes
  }
}

/** The layer's output and input gradient in one array. */
function outputAndGradient(runtime: Runtime, layer: Layer): number[] {
  const count = SHAPE.reduce((product, side) => product * side, 1);
  // Distinct values in no order: no ties for the maximum, both signs for the ReLU.
  const values = Float32Array.from({ length: count }, (_, i) => ((i * 7919) % count) / count - 0.5);
  const tape = new Tape(runtime, true);
  const input = tape.input(runtime.tensor(values, SHAPE), true);
  const result = layer(tape, input);
  const output = 'output' in result ? result.output : result;
  const forward = runtime.read(output.tensor);
  const slope = Float32Array.from(forward, (_, i) => Math.sin(i + 1));
  tape.backward(output, runtime.tensor(slope, output.shape));
  output.tensor.free();
  const gradient = input.takeGradient();
  const backward = runtime.read(gradient);
  gradient.free();
  if ('dispose' in result) result.dispose();
  runtime.dispose();
  return [...forward, ...backward];
}
