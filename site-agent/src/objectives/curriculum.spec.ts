import { digestOfJson } from '@consilium/shared/kernel';
import { type GenesisObjective, genesisObjectiveSchema } from '@consilium/shared/wire';
import { transformsOf } from './curriculum.js';

const objective = (fields: object): GenesisObjective => genesisObjectiveSchema.parse({ kind: 'models-genesis', ...fields });

describe('transformsOf', () => {
  const staged = objective({
    transforms: { invertedShare: 0.5, byModality: { CT: { invertedShare: 0 } } },
    curriculum: [
      { until: 0.25, nonlinearProbability: 0, paintProbability: 0.1 },
      { until: 0.5, invertedShare: 0.2, byModality: { MR: { nonlinearProbability: 0.3 } } },
    ],
  });

  it('takes the stage of its time, and the transforms themselves after the last one', () => {
    const at = (progress: number | undefined): unknown[] => {
      const { nonlinearProbability, invertedShare, paintProbability } = transformsOf(staged, 'MR', progress);
      return [nonlinearProbability, invertedShare, paintProbability];
    };
    expect(at(0)).toEqual([0, 0.5, 0.1]);
    expect(at(0.2499)).toEqual([0, 0.5, 0.1]);
    expect(at(0.25)).toEqual([0.3, 0.2, 0.9]);
    for (const late of [0.5, 0.9, 1, undefined]) expect(at(late)).toEqual([0.9, 0.5, 0.9]);
  });

  it('maps each modality as it is told: a stage before the transforms, a modality before all of them', () => {
    expect(transformsOf(staged, 'CT', undefined).invertedShare).toBe(0);
    expect(transformsOf(staged, 'CT', 0.3)).toMatchObject({ invertedShare: 0.2, nonlinearProbability: 0.9 });
    expect(transformsOf(staged, 'MR', 0.3)).toMatchObject({ invertedShare: 0.2, nonlinearProbability: 0.3 });
  });

  it('leaves a plain plan, and its digest, as they were', () => {
    const plain = objective({});
    expect(transformsOf(plain, 'CT', 0.1)).toEqual(plain.transforms);
    expect(digestOfJson(plain)).toBe('sha256:db042faaadcd9011107ac7ccc6459c199356ddbaf4f153240294f7955b4016b6');
  });

  it.each([
    ['stages that do not follow each other', [{ until: 0.5 }, { until: 0.5 }]],
    ['a stage that ends at once', [{ until: 0 }]],
    ['a probability above 1', [{ until: 0.5, nonlinearProbability: 1.1 }]],
    ['an unknown field', [{ until: 0.5, flips: 1 }]],
    ['no stage', []],
  ])('refuses %s', (_name, curriculum) => {
    expect(genesisObjectiveSchema.safeParse({ kind: 'models-genesis', curriculum }).success).toBe(false);
  });
});
