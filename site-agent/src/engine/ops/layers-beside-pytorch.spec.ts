import { join } from 'node:path';
import { describeWithBfloat16 } from '../../../../test/fixtures/describe-with-bfloat16.js';
import { relativeDifference } from '../../../../test/fixtures/gradient-check.js';
import { readLayerGoldens, type LayerGolden } from '../../../../test/fixtures/read-layer-goldens.js';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { type LayerCall, runLayer } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { Runtime } from '../runtime/runtime.js';
import type { Precision } from '../tape.js';
import { add } from './addition.js';
import { averagePool, globalAveragePool } from './average-pooling.js';
import { addBias } from './bias.js';
import { concatenateChannels } from './concatenation.js';
import type { ConvolutionOptions } from './convolution-geometry.js';
import { convolve } from './convolution.js';
import { reverseGradient } from './gradient-reversal.js';
import { linear } from './linear.js';
import { maxPool, type MaxPoolOptions } from './max-pooling.js';
import { upsampleNearest } from './nearest-upsampling.js';
import type { PoolingWindow } from './pooling-window.js';
import { convolveTransposed, type TransposedConvolutionOptions } from './transposed-convolution.js';
import { upsampleTrilinear } from './trilinear-upsampling.js';

const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };
const goldens = await readLayerGoldens(join(PROJECT_ROOT, 'test/fixtures/layer-goldens/layers.safetensors'));

/** Of the largest value of each tensor: rounding of sums in 32 bits. */
const TOLERANCE = 2e-6;
/** In bfloat16 the input, parameters and slope are rounded too. */
const BFLOAT16_TOLERANCE = 2 ** -6;
/** The public kernel gives the gradient to all voxels that tie. */
const NATIVE_ONLY = 'maximum pooling of ties';

const convolution =
  (options: ConvolutionOptions = {}): LayerCall =>
  (tape, [input], [filter]) =>
    convolve(tape, input, filter, options);
const transposed =
  (options: TransposedConvolutionOptions = {}): LayerCall =>
  (tape, [input], [filter]) =>
    convolveTransposed(tape, input, filter, options);
const maximum =
  (options: MaxPoolOptions = {}): LayerCall =>
  (tape, [input]) =>
    maxPool(tape, input, options);
const average =
  (window: PoolingWindow = {}): LayerCall =>
  (tape, [input]) =>
    averagePool(tape, input, window);
const dense: LayerCall = (tape, [input], [weight, offset]) => addBias(tape, linear(tape, input, weight), offset);

const LAYERS: Readonly<Record<string, LayerCall>> = {
  'convolution 3': convolution(),
  'convolution 3, one voxel': convolution(),
  'convolution 3, padding 0': convolution({ padding: 0 }),
  'convolution 3, stride 2, odd sides': convolution({ stride: 2 }),
  'convolution 3, stride 2, even sides': convolution({ stride: 2 }),
  'convolution 3, stride (1, 2, 2)': convolution({ stride: [1, 2, 2] }),
  'convolution (1, 3, 3), stride (1, 2, 2)': convolution({ stride: [1, 2, 2] }),
  'convolution 3, dilation 2': convolution({ dilation: 2 }),
  'convolution 3, dilation 4': convolution({ dilation: 4 }),
  'convolution 7, stride 2': convolution({ stride: 2 }),
  'convolution 2, stride 2': convolution({ stride: 2, padding: 0 }),
  'convolution 1': convolution(),
  'convolution 3 of two inputs': (tape, inputs, [filter]) => convolve(tape, inputs, filter),
  'transposed convolution 2': transposed(),
  'transposed convolution (1, 2, 2)': transposed(),
  'transposed convolution 3, stride 2': transposed({ stride: 2, padding: 1, outputPadding: 1 }),
  bias: (tape, [input], [values]) => addBias(tape, input, values),
  linear: dense,
  'linear, one example': dense,
  'maximum pooling 2': maximum(),
  'maximum pooling 3, stride 2, odd sides': maximum({ kernel: 3, stride: 2, padding: 1 }),
  'maximum pooling 3, stride 2, even sides': maximum({ kernel: 3, stride: 2, padding: 1 }),
  'maximum pooling (1, 2, 2)': maximum({ kernel: [1, 2, 2] }),
  [NATIVE_ONLY]: maximum({ kernel: 3, stride: 2, padding: 1 }),
  'average pooling 2': average(),
  'average pooling 3, stride 2': average({ kernel: 3, stride: 2 }),
  'average pooling (1, 2, 2)': average({ kernel: [1, 2, 2] }),
  'global average pooling': (tape, [input]) => globalAveragePool(tape, input),
  'nearest up-sampling 2': (tape, [input]) => upsampleNearest(tape, input),
  'nearest up-sampling (1, 2, 3)': (tape, [input]) => upsampleNearest(tape, input, [1, 2, 3]),
  'trilinear up-sampling 2': (tape, [input]) => upsampleTrilinear(tape, input, { factor: 2 }),
  'trilinear up-sampling to (5, 7, 3)': (tape, [input]) => upsampleTrilinear(tape, input, { sides: [5, 7, 3] }),
  'trilinear up-sampling, corners aligned': (tape, [input]) =>
    upsampleTrilinear(tape, input, { sides: [5, 7, 4] }, { alignCorners: true }),
  'trilinear down-sampling': (tape, [input]) => upsampleTrilinear(tape, input, { sides: [3, 2, 3] }),
  addition: (tape, [first, second]) => add(tape, first, second),
  concatenation: (tape, [first, second]) => concatenateChannels(tape, first, second),
  'gradient reversal': (tape, [input]) => reverseGradient(tape, input, 0.37),
};

it('has a layer for every golden case', () => {
  expect(Object.keys(LAYERS).sort()).toEqual([...goldens.keys()].sort());
});

describe.each(Object.entries(RUNTIMES))('with %s kernels, beside PyTorch in 64 bits', (kind, runtime) => {
  const names = Object.keys(LAYERS).filter((name) => kind === 'native' || name !== NATIVE_ONLY);
  describe('in f32', () => compareWithPytorch('f32', TOLERANCE));
  describeWithBfloat16('in bf16', () => compareWithPytorch('bf16', BFLOAT16_TOLERANCE));

  function compareWithPytorch(precision: Precision, tolerance: number): void {
    // A maximum may lie elsewhere once its input is rounded; the values that tie are exact in bfloat16.
    const steady = names.filter((name) => precision === 'f32' || name === NATIVE_ONLY || !name.startsWith('maximum'));
    it.each(steady)('%s', (name) => {
      const golden = goldens.get(name) as LayerGolden;
      const actual = runLayer(runtime, LAYERS[name] as LayerCall, golden, golden.slope, precision);
      expect(actual.shape).toEqual(golden.output.shape);
      expect(relativeDifference(actual.output, golden.output.values)).toBeLessThan(tolerance);
      expect(actual.gradients).toHaveLength(golden.gradients.length);
      for (const [i, { values }] of golden.gradients.entries()) {
        expect(relativeDifference(actual.gradients[i] ?? [], values)).toBeLessThan(tolerance);
      }
      expect(actual.leaked).toBe(0);
    });
  }
});
