import { ATTRIBUTE_TYPE, DATA_TYPE, type TensorflowBinding } from './tensorflow-binding.js';

/** Speed of one 3×3×3 convolution, 16 → 16 channels, over 1×64×64×32 voxels in 32-bit floats. */
export interface ConvolutionSpeed {
  seconds: number;
  gflops: number;
}

const SHAPE = [1, 64, 64, 32, 16];
const CHANNELS = 16;
const TAPS = 27;
/** Multiplications and additions. */
const OPERATIONS = 2 * 64 * 64 * 32 * CHANNELS * CHANNELS * TAPS;

/** The median of a few repetitions after a first one that is not counted (oneDNN builds its kernel then). */
export function measureConvolution(binding: TensorflowBinding, repetitions = 7): ConvolutionSpeed {
  const input = binding.createTensor(SHAPE, DATA_TYPE.float32, new Float32Array(64 * 64 * 32 * CHANNELS).fill(0.5));
  const filter = binding.createTensor(
    [3, 3, 3, CHANNELS, CHANNELS],
    DATA_TYPE.float32,
    new Float32Array(TAPS * CHANNELS * CHANNELS).fill(0.01),
  );
  try {
    const times = Array.from({ length: repetitions + 1 }, () => timeOnce(binding, input, filter)).slice(1);
    times.sort((a, b) => a - b);
    const seconds = times[Math.floor(times.length / 2)] ?? 0;
    return { seconds, gflops: OPERATIONS / seconds / 1e9 };
  } finally {
    binding.deleteTensor(input);
    binding.deleteTensor(filter);
  }
}

function timeOnce(binding: TensorflowBinding, input: number, filter: number): number {
  const started = performance.now();
  const outputs = binding.executeOp(
    'Conv3D',
    [
      { name: 'T', type: ATTRIBUTE_TYPE.type, value: DATA_TYPE.float32 },
      { name: 'strides', type: ATTRIBUTE_TYPE.int, value: [1, 1, 1, 1, 1] },
      { name: 'padding', type: ATTRIBUTE_TYPE.string, value: 'SAME' },
    ],
    [input, filter],
    1,
  );
  if (binding.isUsingGpuDevice()) waitFor(binding, outputs[0]?.id);
  const seconds = (performance.now() - started) / 1000;
  for (const output of outputs) binding.deleteTensor(output.id);
  return seconds;
}

/** A GPU answers before it is done; reading a value waits for it (and adds the copy to the time). */
function waitFor(binding: TensorflowBinding, id: number | undefined): void {
  if (id !== undefined) binding.tensorDataSync(id);
}
