import { digestOfBytes } from '@consilium/shared/kernel';
import { formatClassificationCsv, makeClassificationReport } from './classification-report.js';
import type { ClassificationTask } from './classification-task.js';

const model = digestOfBytes(Buffer.from('model'));
const test = [0, 1, 1].map((classIndex, index) => ({ name: `case ${index}`, image: `/${index}.nii`, classIndex }));
const task = {
  name: 'nodule',
  classes: [
    { name: 'benign', labels: [] },
    { name: 'malignant', labels: [] },
  ],
  cases: { train: [], validation: [], test },
} as unknown as ClassificationTask;

describe('report of a classification', () => {
  it('puts answers beside what is right, passes refused images over and keeps their reasons', () => {
    const report = makeClassificationReport(task, model, [
      { name: 'case 0', probabilities: [0.75, 0.25] },
      { name: 'case 1', refused: { code: 'VOLUME_UNREADABLE', message: 'cut short' } },
      { name: 'case 2', probabilities: [0.6, 0.4] },
    ]);
    expect(report).toMatchObject({ auc: 1, accuracy: 0.5, refused: [{ name: 'case 1', reason: 'cut short' }] });
    expect(report.cases[1]).toMatchObject({ class: 'malignant', predicted: 'benign' });
    expect(formatClassificationCsv(report)).toBe(
      'case,class,predicted,probability_benign,probability_malignant\n' +
        'case 0,benign,benign,0.75,0.25\ncase 2,malignant,benign,0.6,0.4\n',
    );
  });

  it('has no figures where nothing was scored', () => {
    expect(makeClassificationReport(task, model, [])).toMatchObject({ auc: null, accuracy: null, cases: [] });
  });
});
