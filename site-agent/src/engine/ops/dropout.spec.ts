import { runLayer } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { type Precision, Tape, type TapeOptions } from '../tape.js';
import { dropout, spatialDropout } from './dropout.js';

const runtime = openRuntime({ threads: 2 });
const SHAPE = [2, 8, 8, 4, 16];
const COUNT = 2 * 8 * 8 * 4 * 16;
const RATE = 0.3;

/** What a layer makes of ones: its mask. */
function maskOf(layer: typeof dropout, options: TapeOptions, rate = RATE): Float32Array {
  const tape = new Tape(runtime, false, { training: true, ...options });
  const input = tape.input(runtime.tensor(new Float32Array(COUNT).fill(1), SHAPE));
  const output = layer(tape, input, rate);
  const values = runtime.read(output.tensor);
  output.tensor.free();
  return values;
}

function dropped(mask: Float32Array): number {
  return mask.filter((value) => value === 0).length / mask.length;
}

describe('dropout', () => {
  it('drops the given share and makes up for it', () => {
    const mask = maskOf(dropout, {});
    // Six standard deviations of the share among independent draws.
    expect(Math.abs(dropped(mask) - RATE)).toBeLessThan(6 * Math.sqrt((RATE * (1 - RATE)) / COUNT));
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1 / (1 - RATE))]));
  });

  it('drops whole channels of an example', () => {
    const mask = maskOf(spatialDropout, {}, 0.5);
    const channelOf = (i: number): number => Math.floor(i / (COUNT / 2)) * 16 + (i % 16);
    const byChannel = Array.from({ length: 32 }, (_, channel) => new Set(mask.filter((_value, i) => channelOf(i) === channel)));
    expect(byChannel.every((values) => values.size === 1)).toBe(true);
    expect(new Set(mask)).toEqual(new Set([0, 2]));
  });

  it('draws the same for the same seed, and another mask for another seed', () => {
    expect(maskOf(dropout, { seed: 5 })).toEqual(maskOf(dropout, { seed: 5 }));
    expect(maskOf(dropout, { seed: 5 })).not.toEqual(maskOf(dropout, { seed: 6 }));
    expect(maskOf(dropout, { seed: 2 ** 31 + 7 })).not.toEqual(maskOf(dropout, { seed: 7 }));
  });

  it('draws another mask for each layer', () => {
    const tape = new Tape(runtime, false, { training: true });
    const masks = [0, 1].map(() => {
      const input = tape.input(runtime.tensor(new Float32Array(COUNT).fill(1), SHAPE));
      const output = dropout(tape, input, 0.5);
      const values = runtime.read(output.tensor);
      output.tensor.free();
      return values;
    });
    const agreeing = masks[0]?.filter((value, i) => value === masks[1]?.[i]).length ?? 0;
    expect(Math.abs(agreeing / COUNT - 0.5)).toBeLessThan(6 * Math.sqrt(0.25 / COUNT)); // as independent draws do
  });

  it.each(['f32', 'bf16'] as const)(
    'sends the gradient back through the mask of the way forward, in %s',
    (precision: Precision) => {
      const ones = { shape: SHAPE, values: new Float64Array(COUNT).fill(1) };
      const slope = { shape: SHAPE, values: Float64Array.from({ length: COUNT }, (_, i) => 1 + (i % 5)) };
      for (const layer of [dropout, spatialDropout]) {
        const { output, gradients, leaked } = runLayer(
          runtime,
          (tape, [input]) => layer(tape, input, 0.5), // multiplies by 2: exact in either precision
          { inputs: [ones], parameters: [] },
          slope,
          precision,
        );
        expect(gradients[0]).toEqual(output.map((factor, i) => factor * (slope.values[i] as number)));
        expect(leaked).toBe(0);
      }
    },
  );

  it('rounds the factor of a kept value only once in bfloat16', () => {
    const values = { shape: SHAPE, values: new Float64Array(COUNT).fill(1.5) };
    const { output } = runLayer(
      runtime,
      (tape, [input]) => dropout(tape, input, 0.1),
      { inputs: [values], parameters: [] },
      values,
      'bf16',
    );
    expect(Math.max(...output)).toBe(1.6640625); // 1.5 / 0.9 = 1.6667; times the rounded factor it would be 1.671875
  });

  it('passes its input on outside training and at rate 0', () => {
    const live = runtime.liveTensors();
    for (const [training, rate] of [
      [false, 0.5],
      [true, 0],
    ] as const) {
      const tape = new Tape(runtime, true, { training });
      const input = tape.input(runtime.tensor(Float32Array.of(1, 2), [1, 2]), true);
      const output = dropout(tape, input, rate);
      expect(output).toBe(input);
      output.tensor.free();
    }
    expect(runtime.liveTensors()).toBe(live);
  });

  it('refuses a rate that drops everything', () => {
    const tape = new Tape(runtime, true);
    const input = tape.input(runtime.tensor(Float32Array.of(1), [1, 1]));
    expect(() => dropout(tape, input, 1)).toThrow('a dropout rate is at least 0 and below 1');
    input.tensor.free();
  });
});
