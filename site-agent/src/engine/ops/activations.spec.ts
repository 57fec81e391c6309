import { ACTIVATIONS } from '../../../../test/fixtures/checked-layers/activations.js';
import { type CheckedLayer, checkLayer, comparePrecisions } from '../../../../test/fixtures/gradient-check.js';
import type { Activation } from '../activation.js';
import { openRuntime } from '../open-runtime.js';
import { Tape } from '../tape.js';
import { gelu } from './gelu.js';
import { leakyRectify, rectify } from './rectify.js';
import { sigmoid } from './sigmoid.js';
import { softmax } from './softmax.js';

const runtime = openRuntime({ threads: 2 });

describe.each(Object.keys(ACTIVATIONS))('%s', (name) => {
  const layer = ACTIVATIONS[name] as CheckedLayer;

  it('is as the reference and its central differences in 64 bits', () => {
    const errors = checkLayer(runtime, layer);
    expect(errors.output).toBeLessThan(1e-6);
    expect(Math.max(...errors.gradients)).toBeLessThan(1e-6);
    expect(errors.leaked).toBe(0);
  });

  it('is in bfloat16 as in 32 bits but for rounding', () => {
    const errors = comparePrecisions(runtime, layer);
    expect(errors.output).toBeLessThan(2 ** -8); // one rounding of 8 significant bits
    expect(Math.max(...errors.gradients)).toBeLessThan(2 ** -7); // of the kept value, the slope's product and the result
    expect(errors.leaked).toBe(0);
  });
});

describe('activations', () => {
  const LAYERS: Record<string, (tape: Tape, input: Activation) => Activation> = {
    rectify,
    leakyRectify,
    gelu,
    'gelu by tanh': (tape, input) => gelu(tape, input, 'tanh'),
    sigmoid,
    softmax,
  };

  it.each(Object.keys(LAYERS))('%s stays finite far out', (name) => {
    const { output, gradient } = through(LAYERS[name] as (typeof LAYERS)[string], [1e4, -1e4, 300, -300, 0, 88]);
    expect([...output, ...gradient].every(Number.isFinite)).toBe(true);
  });

  it('keep their digits where little is left: GELU of −5', () => {
    const [value] = through(gelu, [-5]).output;
    expect(Math.abs(Number(value) / -1.4332578593959731e-6 - 1)).toBeLessThan(2e-6);
  });

  it('pass no gradient where PyTorch passes none: at zero', () => {
    expect(through(rectify, [0, -0, -1, 1]).gradient).toEqual(Float32Array.of(0, 0, 0, 1));
    expect(through(leakyRectify, [0, -0, -1, 1]).gradient).toEqual(Float32Array.of(0.01, 0.01, 0.01, 1));
  });

  it.each(Object.keys(LAYERS))('%s leaves nothing behind without a gradient', (name) => {
    const before = runtime.liveTensors() - runtime.constantCount;
    const tape = new Tape(runtime, false);
    const input = tape.input(runtime.tensor(Float32Array.of(1, -2), [1, 2]));
    (LAYERS[name] as (typeof LAYERS)[string])(tape, input).tensor.free();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });
});

/** Output and the gradient of the sum of the outputs, of one example's channels. */
function through(
  layer: (tape: Tape, input: Activation) => Activation,
  values: readonly number[],
): { output: Float32Array; gradient: Float32Array } {
  const tape = new Tape(runtime, true);
  const shape = [1, values.length];
  const input = tape.input(runtime.tensor(Float32Array.from(values), shape), true);
  const result = layer(tape, input);
  const output = runtime.read(result.tensor);
  result.tensor.free();
  tape.backward(result, runtime.tensor(new Float32Array(values.length).fill(1), shape));
  const slope = input.takeGradient();
  const gradient = runtime.read(slope);
  slope.free();
  return { output, gradient };
}
