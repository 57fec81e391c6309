import { pointwise } from '../../../../test/fixtures/checked-layers/convolutions.js';
import { type CheckedLayer, checkLayer } from '../../../../test/fixtures/gradient-check.js';
import type { LayerCall } from '../../../../test/fixtures/run-layer.js';
import { SAME_TYPE } from '../attributes.js';
import { openRuntime } from '../open-runtime.js';
import { Tape } from '../tape.js';
import { convolve } from './convolution.js';
import { convolveTransposed } from './transposed-convolution.js';
import { dropout } from './dropout.js';
import { maxPool } from './max-pooling.js';
import { upsampleTrilinear } from './trilinear-upsampling.js';
import { Parameter } from '../parameters.js';

const runtime = openRuntime({ threads: 2 });

/** A layer that doubles, with a fault planted in it. */
function doubling(run: LayerCall): CheckedLayer {
  return {
    inputs: [[1, 2, 1, 2, 1]],
    parameters: [],
    run,
    reference: ([input]) => ({ shape: input.shape, values: input.values.map((value) => 2 * value) }),
  };
}

const twice: LayerCall = (tape, [input]) => {
  const output = tape.runtime.runOne('AddV2', SAME_TYPE(input), [input.tensor, input.tensor]);
  input.tensor.free();
  return tape.push(output, [], (gradient) => {
    input.addGradient(tape.runtime.runOne('AddV2', SAME_TYPE(gradient), [gradient, gradient]));
    gradient.free();
  });
};

describe('the checks of ownership', () => {
  it('pass a layer that frees everything once', () => {
    const errors = checkLayer(runtime, doubling(twice));
    expect(Math.max(errors.output, ...errors.gradients)).toBeLessThan(1e-6);
    expect(errors.leaked).toBe(0);
  });

  it('find a tensor that is never freed', () => {
    const leaking: LayerCall = (tape, inputs, parameters) => {
      inputs[0].tensor.keep();
      return twice(tape, inputs, parameters);
    };
    expect(checkLayer(runtime, doubling(leaking)).leaked).toBe(1);
  });

  it('find a gradient that is never freed', () => {
    const leaking: LayerCall = (tape, [input]) => {
      const output = tape.runtime.runOne('AddV2', SAME_TYPE(input), [input.tensor, input.tensor]);
      input.tensor.free();
      return tape.push(output, [], (gradient) => {
        input.addGradient(tape.runtime.runOne('AddV2', SAME_TYPE(gradient), [gradient, gradient]));
      });
    };
    expect(checkLayer(runtime, doubling(leaking)).leaked).toBe(1);
  });

  it('stop a layer that reads a tensor after it gave it up', () => {
    const late: LayerCall = (tape, [input]) => {
      input.tensor.free();
      const output = tape.runtime.runOne('AddV2', SAME_TYPE(input), [input.tensor, input.tensor]);
      return tape.push(output, [], (gradient) => input.addGradient(gradient));
    };
    expect(() => checkLayer(runtime, doubling(late))).toThrow('a tensor is not used after it was freed');
  });

  it('stop a gradient that reads a tensor which the tape no longer holds', () => {
    const late: LayerCall = (tape, [input]) => {
      const output = tape.runtime.runOne('AddV2', SAME_TYPE(input), [input.tensor, input.tensor]);
      const { tensor } = input;
      tensor.free();
      return tape.push(output, [], (gradient) => {
        input.addGradient(tape.runtime.runOne('Mul', SAME_TYPE(gradient), [gradient, tensor]));
        gradient.free();
      });
    };
    expect(() => checkLayer(runtime, doubling(late))).toThrow('a tensor is not used after it was freed');
  });

  it('stop a layer that frees a tensor twice', () => {
    const eager: LayerCall = (tape, inputs, parameters) => {
      const output = twice(tape, inputs, parameters);
      inputs[0].tensor.free();
      return output;
    };
    expect(() => checkLayer(runtime, doubling(eager))).toThrow('a tensor is freed once by each owner');
  });
});

describe('a tape that does not record', () => {
  it('keeps nothing of any layer', () => {
    const layer = pointwise([1, 4, 4, 4, 2]);
    expect(checkLayer(runtime, layer).leaked).toBe(0); // makes the constants
    const filters = [new Parameter(runtime, 'a', [2, 2, 3, 3, 3]), new Parameter(runtime, 'b', [2, 2, 2, 2, 2])] as const;
    for (const filter of filters) filter.load(new Float32Array(filter.shape.reduce((product, side) => product * side, 1)));
    const before = runtime.liveTensors() - runtime.constantCount;
    const tape = new Tape(runtime, false, { training: true });
    let current = tape.input(runtime.tensor(new Float32Array(128), [1, 4, 4, 4, 2]));
    current = maxPool(tape, convolve(tape, current, filters[0]), { kernel: 3, stride: 2, padding: 1 });
    current = dropout(tape, convolveTransposed(tape, current, filters[1]), 0.5);
    current = upsampleTrilinear(tape, current, { factor: 2 });
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before + 1);
    current.tensor.free();
    for (const filter of filters) filter.dispose();
  });
});
