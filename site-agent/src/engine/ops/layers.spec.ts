import { pointwise, CONVOLUTIONS } from '../../../../test/fixtures/checked-layers/convolutions.js';
import { ELEMENTWISE } from '../../../../test/fixtures/checked-layers/elementwise.js';
import { RESAMPLING } from '../../../../test/fixtures/checked-layers/resampling.js';
import { describeWithBfloat16 } from '../../../../test/fixtures/describe-with-bfloat16.js';
import { type CheckedLayer, checkLayer, comparePrecisions } from '../../../../test/fixtures/gradient-check.js';
import { type Dense, pair, runLayer } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { PUBLIC_ONLY, Runtime } from '../runtime/runtime.js';
import { ShapeBinding } from '../shapes/shape-binding.js';
import { globalAveragePool } from './average-pooling.js';
import { addBias } from './bias.js';
import { convolve } from './convolution.js';
import { convolveTransposed } from './transposed-convolution.js';

const native = openRuntime({ threads: 2 });
const RUNTIMES = { native, public: new Runtime(native.binding) };
/**
 * Of the largest value of a tensor. Every layer sums in 32 bits and rounds its results once, by at most 2⁻⁹ of each (8
 * significant bits); a norm with ReLU or a sum of several parts rounds two or three times on the way. Sums in bfloat16, which
 * TensorFlow offers in places, are off by far more.
 */
const BFLOAT16_TOLERANCE = 2 ** -7;
const LAYERS: Readonly<Record<string, CheckedLayer>> = { ...CONVOLUTIONS, ...RESAMPLING, ...ELEMENTWISE };

function filled(shape: readonly number[], value: number): Dense {
  return { shape, values: new Float64Array(shape.reduce((product, side) => product * side, 1)).fill(value) };
}

function zeros(shape: readonly number[]): Dense {
  return filled(shape, 0);
}

function waves(shape: readonly number[]): Dense {
  return { shape, values: zeros(shape).values.map((_, i) => Math.sin(7 * i + 1)) };
}

describe.each(Object.entries(RUNTIMES))('layers with %s kernels', (_kind, runtime) => {
  it.each(Object.keys(LAYERS))('%s: as the reference and its central differences in 64 bits', (name) => {
    const layer = LAYERS[name] as CheckedLayer;
    const errors = checkLayer(runtime, layer);
    expect(errors.output).toBeLessThan(1e-5);
    expect(errors.gradients).toHaveLength(layer.inputs.length + layer.parameters.length);
    expect(Math.max(...errors.gradients)).toBeLessThan(2e-4);
    expect(errors.leaked).toBe(0);
  });

  describeWithBfloat16('in bfloat16', () => {
    it.each(Object.keys(LAYERS))('%s: as in 32 bits but for rounding', (name) => {
      const layer = LAYERS[name] as CheckedLayer;
      const errors = comparePrecisions(runtime, layer);
      expect(errors.output).toBeLessThan(BFLOAT16_TOLERANCE);
      expect(errors.gradients).toHaveLength(layer.inputs.length + layer.parameters.length);
      expect(Math.max(...errors.gradients)).toBeLessThan(BFLOAT16_TOLERANCE);
      expect(errors.leaked).toBe(0);
    });
  });

  it.each(Object.keys(LAYERS))('%s: computes no gradient that its input does not want', (name) => {
    const layer = LAYERS[name] as CheckedLayer;
    const values = { inputs: layer.inputs.map(waves), parameters: layer.parameters.map(waves) };
    const wanted = runLayer(runtime, layer.run, values, waves);
    const unwanted = runLayer(runtime, layer.run, values, waves, 'f32', false);
    expect(unwanted.gradients).toEqual(wanted.gradients.slice(layer.inputs.length));
    expect(unwanted.leaked).toBe(0);
  });
});

describeWithBfloat16('sums over many voxels in bfloat16', () => {
  const shape = [1, 32, 32, 16, 2];
  const ones = filled(shape, 1);
  const sumOfParameter = (parameter: readonly number[], run: CheckedLayer['run']): number[] => {
    const { gradients } = runLayer(
      native,
      run,
      { inputs: [ones], parameters: [filled(parameter, 1)] },
      (at) => filled(at, 1),
      'bf16',
    );
    return Array.from(new Set(gradients[1]));
  };

  // Summed in bfloat16 they would not pass 256.
  it('are made in 32 bits', () => {
    const pooled = runLayer(
      native,
      (tape, [input]) => globalAveragePool(tape, input),
      { inputs: [ones], parameters: [] },
      filled([1, 2], 1),
      'bf16',
    );
    expect(Array.from(pooled.output)).toEqual([1, 1]);
    expect(sumOfParameter([2], (tape, [input], [bias]) => addBias(tape, input, bias))).toEqual([32 * 32 * 16]);
    expect(sumOfParameter([3, 2, 1, 1, 1], (tape, [input], [filter]) => convolve(tape, input, filter))).toEqual([32 * 32 * 16]);
    expect(sumOfParameter([2, 3, 2, 2, 2], (tape, [input], [filter]) => convolveTransposed(tape, input, filter))).toEqual([
      32 * 32 * 16,
    ]);
  });
});

describe('layers without numbers', () => {
  const kernels = { native: native.native, public: PUBLIC_ONLY };
  it.each(Object.keys(kernels))('have the same shapes and free everything, with %s kernels', (kind) => {
    const runtime = new Runtime(new ShapeBinding(), kernels[kind as keyof typeof kernels]);
    for (const precision of ['f32', 'bf16'] as const) {
      for (const [name, layer] of Object.entries(LAYERS)) {
        const empty = (shapes: readonly (readonly number[])[]): Dense[] => shapes.map((shape) => zeros(shape));
        const values = { inputs: empty(layer.inputs), parameters: empty(layer.parameters) };
        const { shape, gradients, leaked } = runLayer(runtime, layer.run, values, zeros, precision);
        const expected = layer.reference(pair(values.inputs), pair(values.parameters)).shape;
        const sizes = [...values.inputs, ...values.parameters].map((dense) => dense.values.length);
        expect([name, shape, gradients.map((gradient) => gradient.length), leaked]).toEqual([name, expected, sizes, 0]);
      }
    }
  });
});

describe('the gradient check itself', () => {
  it('finds a layer that differs from its reference', () => {
    const right = pointwise([1, 2, 2, 2, 1]);
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
