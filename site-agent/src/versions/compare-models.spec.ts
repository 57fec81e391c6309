import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { compareModels } from './compare-models.js';

const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1 });
const tensor = (name: string, ...values: number[]) => ({ name, shape: [values.length], values: Float32Array.from(values) });
const model = (...weights: WeightSet) => ({ spec, weights });

describe('comparing two models', () => {
  it('finds no distance between equal ones', () => {
    const weights = initialWeights(spec, 3);
    const comparison = compareModels(model(...weights), model(...[...weights].reverse()));
    expect(comparison).toMatchObject({ sameArchitecture: true, sameWeights: true, unlike: [] });
    expect(comparison.overall).toEqual({ distance: 0, relative: 0, cosine: 1 });
    expect(comparison.layers.map(({ layer }) => layer).slice(0, 3)).toEqual(['e1.0', 'e1.1', 'e1.3']);
  });

  it('gives the norms that a hand computes, overall and by layer', () => {
    const a = model(tensor('one.weight', 3, 0), tensor('one.bias', 4), tensor('two.weight', 0, 0));
    const b = model(tensor('one.weight', 0, 0), tensor('one.bias', 4), tensor('two.weight', 1, 0));
    const { overall, layers, sameWeights } = compareModels(a, b);
    // |b − a|² = 9 + 1, |a|² = 25, |b|² = 17, a·b = 16.
    expect(overall.distance).toBeCloseTo(Math.sqrt(10), 12);
    expect(overall.relative).toBeCloseTo(Math.sqrt(10) / 5, 12);
    expect(overall.cosine).toBeCloseTo(16 / (5 * Math.sqrt(17)), 12);
    expect(layers).toEqual([
      { layer: 'one', distance: 3, relative: 0.6, cosine: 0.8 },
      { layer: 'two', distance: 1, relative: null, cosine: null },
    ]);
    expect(sameWeights).toBe(false);
  });

  it('leaves out, and names, what only one of them has so', () => {
    const other = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
    const a = model(tensor('x.weight', 1), tensor('out.weight', 1, 2));
    const comparison = compareModels(a, {
      spec: other,
      weights: [tensor('x.weight', 1), tensor('out.weight', 1), tensor('head.weight', 1)],
    });
    expect(comparison).toMatchObject({ sameArchitecture: false, sameWeights: false, unlike: ['out.weight', 'head.weight'] });
    expect(comparison.overall.distance).toBe(0);
    expect(() => compareModels(model(tensor('x', 1)), model(tensor('y', 1)))).toThrow(/no parameter in common/);
  });
});
