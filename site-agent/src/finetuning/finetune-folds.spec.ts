import { digestOfBytes } from '@consilium/shared/kernel';
import type { FinetuneSummary, TrainedModel } from './finetune-and-evaluate.js';
import { chosenFolds, summariseFolds } from './finetune-folds.js';

const folds = { count: 3, seed: 1 };

function trained(auc: number | null): TrainedModel {
  return {
    startedFrom: 'scratch',
    modelPath: '',
    historyPath: '',
    digest: digestOfBytes(Buffer.from('')),
    bytes: 1,
    steps: 1,
    stopped: 'steps',
    bestStep: 1,
    bestValidationDice: null,
    bestValidationAuc: auc,
    bestValidationAccuracy: null,
    trainingMs: 1,
    peakResidentBytes: undefined,
    loadedParameters: 0,
    freshParameters: [],
    test: null,
    classified: null,
  };
}

function run(fold: number, auc: number | null, scratchAuc?: number) {
  const summary: FinetuneSummary = {
    task: 'x',
    kind: 'classification',
    classes: ['a', 'b'],
    spacingMm: null,
    cases: { train: 1, validation: 1, test: 1 },
    model: trained(auc),
    scratch: scratchAuc === undefined ? null : trained(scratchAuc),
  };
  return { fold, summary };
}

describe('folds together', () => {
  it('have the mean and the sample deviation of each figure that there is, of both starts', () => {
    const { model, scratch } = summariseFolds('x', folds, [run(1, 0.5, 0.4), run(2, 0.7, 0.4), run(3, 0.9, 0.4)]);
    expect(Object.keys(model)).toEqual(['validationAuc']);
    expect(model['validationAuc']?.mean).toBeCloseTo(0.7, 12);
    expect(model['validationAuc']?.sd).toBeCloseTo(0.2, 12);
    expect(scratch?.['validationAuc']).toEqual({
      mean: expect.closeTo(0.4, 12) as number,
      sd: expect.closeTo(0, 12) as number,
      folds: 3,
    });
  });

  it('count only folds that have a figure, and have no deviation from one', () => {
    const { model, scratch } = summariseFolds('x', folds, [run(1, 0.5), run(2, null)]);
    expect(model).toEqual({ validationAuc: { mean: 0.5, sd: null, folds: 1 } });
    expect(scratch).toBeNull();
  });

  it('are all of them, or the one that was asked for', () => {
    expect(chosenFolds(folds, undefined)).toEqual([1, 2, 3]);
    expect(chosenFolds(folds, '2')).toEqual([2]);
    for (const wrong of ['0', '4', 'x', '1.5']) {
      expect(() => chosenFolds(folds, wrong)).toThrow(expect.objectContaining({ code: 'ARGUMENT_INVALID' }) as Error);
    }
  });
});
