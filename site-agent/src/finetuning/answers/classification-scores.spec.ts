import { scoreExamples } from './classification-scores.js';

describe('scores of a classifier', () => {
  it('has the mean cross-entropy, the accuracy and the area of the second of two classes', () => {
    const examples = [
      { probabilities: [0.75, 0.25], classIndex: 0 },
      { probabilities: [0.5, 0.5], classIndex: 1 },
      { probabilities: [0.25, 0.75], classIndex: 0 },
    ];
    const { loss, auc, accuracy } = scoreExamples(examples, 2);
    expect(loss).toBeCloseTo(-(Math.log(0.75) + Math.log(0.5) + Math.log(0.25)) / 3, 12);
    expect(accuracy).toBeCloseTo(1 / 3, 12);
    expect(auc).toBe(0.5);
  });

  it('averages the areas of several classes, leaving out those that do not occur', () => {
    const examples = [
      { probabilities: [0.8, 0.1, 0.1], classIndex: 0 },
      { probabilities: [0.3, 0.6, 0.1], classIndex: 1 },
      { probabilities: [0.4, 0.5, 0.1], classIndex: 0 },
    ];
    expect(scoreExamples(examples, 3).auc).toBe(1);
    expect(scoreExamples(examples.slice(0, 1), 3).auc).toBeNull();
    expect(scoreExamples([{ probabilities: [1, 0, 0], classIndex: 2 }], 3).loss).toBeCloseTo(-Math.log(1e-7), 9);
  });
});
