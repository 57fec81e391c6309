import { digestOfBytes } from '@consilium/shared/kernel';
import { parameterCount, type WeightSet } from '@consilium/shared/weights';
import {
  initialWeights,
  manifestOf,
  modelSpecSchema,
  type ModelSpec,
  normGroups,
  parametersOf,
  statisticNames,
  trainedParameterCount,
} from './index.js';

function spec(overrides: Record<string, unknown> = {}): ModelSpec {
  return modelSpecSchema.parse({ architecture: 'genesis-unet3d', ...overrides });
}

function digestOf(weights: WeightSet): string {
  return digestOfBytes(Buffer.concat(weights.map(({ values }) => Buffer.from(values.buffer))));
}

describe('the Models Genesis U-Net as data (specification, conformance table F)', () => {
  it.each([
    [{ width: 32, upsampling: 'transposed' }, 19_073_665],
    [{ width: 32, upsampling: 'nearest' }, 16_320_257],
    [{ width: 8, upsampling: 'transposed' }, 1_193_761],
  ])('%j has %i parameters', (overrides, count) => {
    expect(parameterCount(manifestOf(spec(overrides)))).toBe(count);
  });

  it('has the published encoder size', () => {
    const encoder = manifestOf(spec({ width: 32 })).tensors.filter(({ name }) => name.startsWith('e'));
    expect(parameterCount({ tensors: encoder })).toBe(7_027_776);
  });

  it('has the published checkpoint’s size when it keeps running statistics', () => {
    const keeping = spec({ width: 32, norm: 'batch', batchStatistics: 'training' });
    expect(trainedParameterCount(keeping)).toBe(19_073_665);
    // The checkpoint's 19,078,351 elements include a counter for each of its 14 norms, which nothing reads.
    expect(parameterCount(manifestOf(keeping)) + 14).toBe(19_078_351);
    expect(statisticNames(keeping).size).toBe(2 * 14);
    expect(parameterCount(manifestOf(spec({ width: 32, norm: 'batch', batchStatistics: 'always' })))).toBe(19_073_665);
  });

  it('has the same tensors whatever the norm, because both are affine', () => {
    expect(manifestOf(spec({ norm: 'batch' }))).toEqual(manifestOf(spec({ norm: 'instance' })));
    expect(manifestOf(spec({ norm: 'group' }))).toEqual(manifestOf(spec({ norm: 'instance' })));
  });

  it('writes settings of before as it always did', () => {
    expect(JSON.stringify(spec())).toBe(
      '{"architecture":"genesis-unet3d","width":8,"norm":"instance","upsampling":"transposed","inputChannels":1,"outputs":1}',
    );
  });

  it.each([
    [undefined, 16, 8],
    [undefined, 12, 4],
    [undefined, 7, 1],
    [6, 9, 3],
    [64, 32, 32],
  ])('%s groups over %i channels are %i', (groups, channels, expected) => {
    expect(normGroups({ norm: 'group', groups }, channels)).toBe(expected);
  });

  it('refuses what it cannot build, naming the field', () => {
    expect(modelSpecSchema.safeParse({ architecture: 'genesis-unet3d', width: 0 }).error?.issues[0]?.path).toEqual(['width']);
    expect(modelSpecSchema.safeParse({ architecture: 'transformer' }).success).toBe(false);
    expect(modelSpecSchema.safeParse({ architecture: 'genesis-unet3d', widht: 8 }).success).toBe(false);
    const stray = (field: object) =>
      modelSpecSchema.safeParse({ architecture: 'genesis-unet3d', ...field }).error?.issues[0]?.path;
    expect(stray({ norm: 'instance', groups: 4 })).toEqual(['groups']);
    expect(stray({ norm: 'group', batchStatistics: 'always' })).toEqual(['batchStatistics']);
    expect(stray({ norm: 'group', groups: 4 })).toBeUndefined();
  });
});

describe('initial weights', () => {
  it('are the same bytes for the same seed, today and tomorrow', () => {
    expect(digestOf(initialWeights(spec({ width: 2 }), 1))).toBe(GOLDEN_DIGEST);
    expect(digestOf(initialWeights(spec({ width: 2 }), 2))).not.toBe(GOLDEN_DIGEST);
  });

  it('are uniform within ±1/√fan-in, ones for norm scales, zeros for norm shifts', () => {
    const weights = new Map(initialWeights(spec({ width: 8 }), 1).map((tensor) => [tensor.name, tensor.values]));
    for (const { name, initialiser } of parametersOf(spec({ width: 8 }))) {
      const values = weights.get(name) ?? new Float32Array();
      if (initialiser.kind !== 'kaiming-uniform') {
        expect(new Set(values)).toEqual(new Set([initialiser.kind === 'ones' ? 1 : 0]));
        continue;
      }
      const bound = 1 / Math.sqrt(initialiser.fanIn);
      expect(values.every((value) => Math.abs(value) <= bound)).toBe(true);
      if (values.length < 5000) continue;
      const variance = values.reduce((sum, value) => sum + value * value, 0) / values.length;
      expect(variance / (bound ** 2 / 3)).toBeCloseTo(1, 1);
    }
  });

  it('give each parameter its own stream: another output count leaves the rest alone', () => {
    const one = initialWeights(spec({ width: 2 }), 1);
    const three = initialWeights(spec({ width: 2, outputs: 3 }), 1);
    one.filter(({ name }) => !name.startsWith('out')).forEach((tensor, i) => expect(three[i]).toEqual(tensor));
  });
});

const GOLDEN_DIGEST = 'sha256:0725388db879006320eb13074c28c44ca2f6fe30012afb83517ab53ccba9c288';
