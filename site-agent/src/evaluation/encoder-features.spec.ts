import { Random } from '@consilium/shared/kernel';
import { initialWeights, modelSpecSchema, type UniversalSpec } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { openRuntime } from '../engine/open-runtime.js';
import { EncoderFeatures } from './encoder-features.js';

const SIZE = [16, 16, 8] as const;
const spec = modelSpecSchema.parse({ architecture: 'universal-model', width: 2, norm: 'instance' }) as UniversalSpec;
const weights = initialWeights(spec, 1);

function patch(seed: string): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: 16 * 16 * 8 }, () => random.uniform());
}

/** With other values in the tensors whose names begin so. */
function changed(prefix: string): WeightSet {
  return weights.map((tensor) =>
    tensor.name.startsWith(prefix) ? { ...tensor, values: tensor.values.map((value) => value * 1.5 + 0.1) } : tensor,
  );
}

describe('the features of a frozen encoder', () => {
  const runtime = openRuntime({ threads: 1 });
  const read = (of: WeightSet, input = patch('a')): Float32Array => {
    const features = EncoderFeatures.open(runtime, spec, of);
    try {
      return features.read(input, SIZE);
    } finally {
      features.dispose();
    }
  };

  it('are 16 times the width, of the patch, the same each time, and leave no tensor behind', () => {
    const features = read(weights);
    expect(features).toHaveLength(32);
    expect(features.every(Number.isFinite)).toBe(true);
    expect(new Set(features).size).toBeGreaterThan(10);
    const before = runtime.liveTensors() - runtime.constantCount;
    expect(read(weights)).toEqual(features);
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
    expect(read(weights, patch('b'))).not.toEqual(features);
  });

  it('come from the encoder, and from nothing behind it', () => {
    const features = read(weights);
    for (const behind of ['d', 'u', 'out.', 'scale.', 'modality.']) expect(read(changed(behind))).toEqual(features);
    for (const level of ['e1.0', 'e2.0', 'e3.0', 'e4.3']) expect(read(changed(level))).not.toEqual(features);
  });
});
