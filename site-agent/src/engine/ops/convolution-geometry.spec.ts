import { Random } from '@consilium/shared/kernel';
import { describeWithBfloat16 } from '../../../../test/fixtures/describe-with-bfloat16.js';
import { relativeDifference } from '../../../../test/fixtures/gradient-check.js';
import { type Dense, type LayerCall, runLayer } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { convolutionGeometry, type ConvolutionOptions } from './convolution-geometry.js';
import { convolve } from './convolution.js';
import type { Sides } from './padding.js';
import { convolveTransposed } from './transposed-convolution.js';

const runtime = openRuntime({ threads: 2 });

function needs32Bits(sides: Sides, kernel: Sides, options: ConvolutionOptions): boolean {
  return convolutionGeometry([1, ...sides, 1], kernel, options).needs32Bits;
}

describe('how TensorFlow is asked for a convolution', () => {
  it('leaves padding to TensorFlow only where both sides get the same', () => {
    const padding = (sides: Sides, options: ConvolutionOptions): unknown =>
      convolutionGeometry([1, ...sides, 1], [3, 3, 3], options).padding;
    expect(padding([8, 8, 8], {})).toBeUndefined();
    expect(padding([7, 9, 5], { stride: 2 })).toBeUndefined();
    expect(padding([8, 9, 5], { stride: 2 })).toEqual([1, 1, 1]);
    expect(padding([8, 8, 8], { padding: 0 })).toBeUndefined();
    expect(padding([8, 8, 8], { padding: 3 })).toEqual([3, 3, 3]);
    expect(padding([8, 8, 8], { dilation: 4 })).toBeUndefined();
  });

  it('refuses an input in which the kernel has no place', () => {
    expect(() => convolutionGeometry([1, 5, 2, 5, 1], [3, 3, 3], { padding: 0 })).toThrow(
      'a patch of 5 × 2 × 5 voxels is too small for this network',
    );
  });

  it('asks for 32 bits where bfloat16 fails, and nowhere else that networks go', () => {
    expect(needs32Bits([5, 3, 1], [3, 3, 3], { stride: 2 })).toBe(true);
    expect(needs32Bits([8, 8, 1], [1, 1, 1], {})).toBe(true);
    expect(needs32Bits([8, 7, 8], [7, 7, 7], { stride: 2 })).toBe(true);
    expect(needs32Bits([2, 4, 4], [2, 2, 2], { dilation: 4, padding: 2 })).toBe(true);
    expect(needs32Bits([8, 8, 4], [3, 3, 3], {})).toBe(false); // the bottom of the U-Net
    expect(needs32Bits([56, 56, 56], [7, 7, 7], { stride: 2 })).toBe(false); // the first layers of the ResNet
    expect(needs32Bits([14, 14, 14], [3, 3, 3], { stride: 2 })).toBe(false);
    expect(needs32Bits([7, 7, 7], [3, 3, 3], { dilation: 4 })).toBe(false); // and its last
  });
});

describeWithBfloat16('convolutions of random shapes', () => {
  const random = new Random('convolutions of random shapes');
  const pick = <T>(items: readonly T[]): T => items[random.uint32() % items.length] as T;
  const side = (): number => 1 + (random.uint32() % 9);
  const made = (shape: readonly number[]): Dense => {
    const count = shape.reduce((product, each) => product * each, 1);
    return { shape, values: new Float64Array(count).map(() => Math.round(random.uniform() * 32 - 16) / 16) }; // exact in bfloat16
  };
  const cases = Array.from({ length: 60 }, () => {
    const kernel = pick([1, 2, 3, 3, 3, 5, 7]);
    const dilation = kernel === 3 ? pick([1, 1, 2, 4]) : 1;
    const stride = dilation === 1 ? pick([1, 2, [1, 2, 2] as const]) : 1;
    const sides: Sides = [side(), side(), side()];
    return { shape: [pick([1, 2, 3]), ...sides, pick([1, 3, 16])], kernel, outputs: pick([1, 3, 16]), stride, dilation };
  });

  it.each(cases)('$shape by $kernel³ to $outputs, stride $stride, dilation $dilation: bfloat16 as 32 bits', (each) => {
    const { shape, kernel, outputs, ...options } = each;
    const padding = Math.floor((options.dilation * (kernel - 1) + 1) / 2);
    const layer: LayerCall = (tape, [input], [filter]) => convolve(tape, input, filter, { ...options, padding });
    expectSame(layer, made(shape), made([outputs, shape[4] as number, kernel, kernel, kernel]));
    if (kernel > 3 || options.dilation > 1) return;
    const raise: LayerCall = (tape, [input], [filter]) => convolveTransposed(tape, input, filter);
    expectSame(raise, made(shape), made([shape[4] as number, outputs, kernel, kernel, kernel]));
  });

  function expectSame(layer: LayerCall, input: Dense, filter: Dense): void {
    const values = { inputs: [input], parameters: [filter] };
    const slopes = new Map<string, Dense>();
    const slope = (shape: readonly number[]): Dense => {
      const known = slopes.get(shape.join()) ?? made(shape);
      slopes.set(shape.join(), known);
      return known;
    };
    const exact = runLayer(runtime, layer, values, slope);
    const coarse = runLayer(runtime, layer, values, slope, 'bf16');
    expect(coarse.shape).toEqual(exact.shape);
    for (const [actual, expected] of [
      [coarse.output, exact.output] as const,
      ...exact.gradients.map((gradient, i) => [coarse.gradients[i] ?? [], gradient] as const),
    ])
      expect(relativeDifference(actual, expected)).toBeLessThan(2 ** -7);
  }
});
