import type { Activation } from './activation.js';
import { castAndFree, castTensor } from './cast-tensor.js';
import { Parameter } from './parameters.js';
import { maxPool, type MaxPoolOptions } from './ops/max-pooling.js';
import { normaliseLeaky } from './ops/normalise.js';
import { type NativeKernels, PUBLIC_ONLY, Runtime } from './runtime/runtime.js';
import { DATA_TYPE, type TensorflowBinding } from './runtime/tensorflow-binding.js';
import { type Precision, Tape } from './tape.js';
import type { Tensor } from './tensor.js';

/** Channels that are no multiple of a vector register, so that padded layouts are tried too; norms in bfloat16 need 16 of them. */
const CHANNELS = { f32: 3, bf16: 16 } as const;
const TOLERANCE = { f32: 1e-4, bf16: 0.05 } as const;
/** Halving as in a U-Net, overlapping windows with padding as in a ResNet, and windows that differ by axis. */
const POOLINGS: readonly MaxPoolOptions[] = [{}, { kernel: 3, stride: 2, padding: 1 }, { kernel: [1, 2, 2] }];

/**
 * Tries each private oneDNN kernel against TensorFlow's public operation, forward and backward, and names those that agree.
 * They are private, so another release may lack or change them; then the slower public ones are used. A GPU has none.
 */
export function probeNativeKernels(binding: TensorflowBinding): NativeKernels {
  if (binding.isUsingGpuDevice()) return PUBLIC_ONLY;
  const maxPooling = poolsNatively(binding, 'f32');
  const normaliseRectify = normalisesNatively(binding, 'f32');
  const bfloat16 = (!maxPooling || poolsNatively(binding, 'bf16')) && (!normaliseRectify || normalisesNatively(binding, 'bf16'));
  return { maxPooling, normaliseRectify, bfloat16 };
}

function poolsNatively(binding: TensorflowBinding, precision: Precision): boolean {
  return POOLINGS.every((options) => agrees(binding, 'maxPooling', precision, (tape, input) => maxPool(tape, input, options)));
}

function normalisesNatively(binding: TensorflowBinding, precision: Precision): boolean {
  return agrees(binding, 'normaliseRectify', precision, (tape, input) => {
    const channels = CHANNELS[precision];
    const [scale, offset] = [new Parameter(tape.runtime, 'scale', [channels]), new Parameter(tape.runtime, 'offset', [channels])];
    scale.load(Float32Array.from({ length: channels }, (_, i) => [1.5, 0.5, 1][i % 3] as number));
    offset.load(Float32Array.from({ length: channels }, (_, i) => [0.1, -0.2, 0][i % 3] as number));
    const output = normaliseLeaky(tape, input, scale, offset, 0, { over: 'batch' });
    return { output, dispose: () => [scale, offset].map((parameter) => parameter.dispose()) };
  });
}

type Layer = (tape: Tape, input: Activation) => Activation | { output: Activation; dispose(): void };

function agrees(
  binding: TensorflowBinding,
  kernel: 'maxPooling' | 'normaliseRectify',
  precision: Precision,
  layer: Layer,
): boolean {
  const tolerance = TOLERANCE[precision];
  try {
    const expected = outputAndGradient(new Runtime(binding, PUBLIC_ONLY), precision, layer);
    const native = new Runtime(binding, { ...PUBLIC_ONLY, [kernel]: true, bfloat16: true });
    const actual = outputAndGradient(native, precision, layer);
    return (
      actual.length === expected.length && actual.every((value, i) => Math.abs(value - (expected[i] as number)) <= tolerance)
    );
  } catch {
    return false; // the kernel is unknown or refuses its attributes
  }
}

/** The layer's output and input gradient in one array. */
function outputAndGradient(runtime: Runtime, precision: Precision, layer: Layer): number[] {
  const shape = [2, 4, 6, 2, CHANNELS[precision]];
  const count = shape.reduce((product, side) => product * side, 1);
  // Distinct values in no order: no ties for the maximum, both signs for the ReLU.
  const values = Float32Array.from({ length: count }, (_, i) => ((i * 7919) % count) / count - 0.5);
  const tape = new Tape(runtime, true, { precision });
  const input = tape.input(castAndFree(runtime, runtime.tensor(values, shape), tape.dataType), true);
  const result = layer(tape, input);
  const output = 'output' in result ? result.output : result;
  const forward = readAndFree(runtime, castTensor(runtime, output.tensor, DATA_TYPE.float32));
  const slope = runtime.tensor(
    Float32Array.from(forward, (_, i) => Math.sin(i + 1)),
    output.shape,
  );
  tape.backward(output, castAndFree(runtime, slope, tape.dataType));
  output.tensor.free();
  const backward = readAndFree(runtime, castAndFree(runtime, input.takeGradient(), DATA_TYPE.float32));
  if ('dispose' in result) result.dispose();
  runtime.dispose();
  return [...forward, ...backward];
}

function readAndFree(runtime: Runtime, tensor: Tensor): Float32Array {
  const values = runtime.read(tensor);
  tensor.free();
  return values;
}
