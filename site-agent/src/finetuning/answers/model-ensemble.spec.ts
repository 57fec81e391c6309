import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { openRuntime } from '../../engine/open-runtime.js';
import { ensembleDigest, ModelEnsemble, requireOneTask } from './model-ensemble.js';
import { type ModelFile, requireClassification } from './model-file.js';

const SPEC = modelSpecSchema.parse({ architecture: 'genesis-classifier', width: 2, outputs: 2, hiddenFeatures: 4 });
const SIZE: [number, number, number] = [16, 16, 16];
const INPUT = Float32Array.from({ length: 16 ** 3 }, (_, voxel) => (voxel % 7) / 7);
const FACTS = {
  task: 'kinds',
  classes: [
    { name: 'plain', labels: [] },
    { name: 'ball', labels: [] },
  ],
  input: 'whole' as const,
  fit: 'pad' as const,
  patchSizeVoxels: SIZE,
  outputs: 2,
};

function model(seed: number, facts: Partial<typeof FACTS> & { step?: number } = {}): ModelFile {
  return {
    path: `fold-${seed}/model.safetensors`,
    digest: `sha256:${String(seed).repeat(64)}`,
    spec: SPEC,
    weights: initialWeights(SPEC, seed),
    segmentation: undefined,
    classification: { ...FACTS, ...facts },
  };
}

describe('several models as one', () => {
  const runtime = openRuntime({ threads: 1 });

  it('answers with the mean of the probabilities, and frees every network', () => {
    const answer = (...models: ModelFile[]): Float32Array => {
      const ensemble = ModelEnsemble.create(models, runtime);
      try {
        return ensemble.predict(INPUT, 1, SIZE, 'softmax');
      } finally {
        ensemble.dispose();
      }
    };
    const [one, two] = [answer(model(1)), answer(model(2))];
    expect(one).not.toEqual(two);
    // The runtime keeps constants from its first use on.
    const before = runtime.liveTensors();
    const together = answer(model(1), model(2));
    together.forEach((value, index) => expect(value).toBeCloseTo(((one[index] ?? NaN) + (two[index] ?? NaN)) / 2, 6));
    expect([...together].reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
    expect(runtime.liveTensors()).toBe(before);
  });

  it('answers with one model as that model does', () => {
    expect(ensembleDigest([model(1)])).toBe(model(1).digest);
    expect(ensembleDigest([model(1), model(2)])).not.toBe(ensembleDigest([model(2), model(1)]));
  });
});

describe('models that answer together', () => {
  it('may differ in their step and in nothing that decides on their input or answer', () => {
    expect(requireOneTask([model(1, { step: 10 }), model(2, { step: 20 })], requireClassification)).toMatchObject(FACTS);
    const other = model(2, { fit: 'resize' as 'pad' });
    expect(() => requireOneTask([model(1), other], requireClassification)).toThrow(
      /fold-1.* and fold-2.* not trained on the same/,
    );
  });
});
