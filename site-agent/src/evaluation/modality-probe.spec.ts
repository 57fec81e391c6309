import { Random } from '@consilium/shared/kernel';
import { fitLogistic, gradientOf, type Label, logitOf } from './logistic-regression.js';
import { type ProbedExample, probeModality } from './modality-probe.js';

const SETTINGS = { seed: 'spec', resamples: 400 };

/** Twelve groups of one class each; what the features say of the class is given. */
function examples(shift: number, square = false): ProbedExample[] {
  const random = new Random(`probe/${shift}/${square}`);
  return Array.from({ length: 24 }, (_, group) => group).flatMap((group) =>
    Array.from({ length: 10 }, (): ProbedExample => {
      const label: Label = group % 2 === 0 ? 0 : 1;
      const features = Float32Array.from({ length: 6 }, () => random.between(-1, 1));
      // A line reads a shift; an "exclusive or" of two signs is nothing to it.
      if (square) features[1] = Math.abs(features[1] ?? 0) * Math.sign(features[0] ?? 0) * (label === 1 ? 1 : -1);
      else features[0] = (features[0] ?? 0) + (label === 1 ? shift : -shift);
      return { group: `group-${group}`, label, features };
    }),
  );
}

describe('a probe for modality', () => {
  it('reads what is there, and finds chance where nothing is', () => {
    const clear = probeModality(examples(1.2), SETTINGS).linear;
    expect(clear.balancedAccuracy.value).toBeGreaterThan(0.97);
    expect(clear.auc.value).toBeGreaterThan(0.99);
    const nothing = probeModality(examples(0), SETTINGS).linear;
    expect(nothing.auc.low).toBeLessThan(0.5);
    expect(nothing.auc.high).toBeGreaterThan(0.45);
    expect(nothing.auc.value).toBeLessThan(0.62);
    expect(nothing.auc.value).toBeGreaterThan(0.38);
  });

  it('finds by a perceptron what no line separates', () => {
    const { linear, perceptron } = probeModality(examples(0, true), SETTINGS);
    expect(linear.auc.value).toBeLessThan(0.62);
    expect(perceptron.auc.value).toBeGreaterThan(0.9);
  });

  it('never trains on a group that it answers for', () => {
    // Each group has a mark of its own that names its class: worth nothing to who has not seen the group.
    const random = new Random('marks');
    const marked = Array.from({ length: 12 }, (_, group) => group).flatMap((group) => {
      const mark = Float32Array.from({ length: 12 }, (__, i) => (i === group ? 5 : 0));
      return Array.from({ length: 8 }, (): ProbedExample => {
        const features = mark.map((value) => value + random.between(-0.1, 0.1));
        return { group: `group-${group}`, label: group % 2 === 0 ? 0 : 1, features };
      });
    });
    expect(probeModality(marked, SETTINGS).linear.balancedAccuracy.value).toBeLessThan(0.75);
  });

  it('gives the same figures for the same seed, whatever the order of the examples', () => {
    const made = examples(0.3);
    expect(probeModality(made, SETTINGS)).toEqual(probeModality(made, SETTINGS));
    const other = probeModality(made, { ...SETTINGS, seed: 'other' });
    expect(other.linear.auc.value).not.toBe(probeModality(made, SETTINGS).linear.auc.value);
  });

  it.each([
    { both: 1, ct: 4, mr: 1 },
    { both: 1, ct: 9, mr: 1 },
    { both: 1, ct: 1, mr: 5 },
    { both: 2, ct: 0, mr: 0 },
    { both: 0, ct: 2, mr: 2 },
  ])('answers for everybody however the classes lie in the groups: %j', ({ both, ct, mr }) => {
    const random = new Random('make-up');
    const groupOf = (group: string, labels: readonly Label[]): ProbedExample[] =>
      labels.flatMap((label) =>
        Array.from({ length: 4 }, () => ({
          group,
          label,
          features: Float32Array.from({ length: 3 }, () => random.between(-1, 1) + label),
        })),
      );
    const of = (name: string, count: number, labels: readonly Label[]): ProbedExample[] =>
      Array.from({ length: count }, (_, index) => groupOf(`${name}-${index}`, labels)).flat();
    const made = [...of('both', both, [0, 1]), ...of('ct', ct, [0]), ...of('mr', mr, [1])];
    const { linear, groups } = probeModality(made, SETTINGS);
    expect(groups).toBe(both + ct + mr);
    expect(linear.auc.value).toBeGreaterThan(0.4);
    expect(linear.balancedAccuracy.low).toBeGreaterThanOrEqual(0);
  });

  it('needs each class in two groups', () => {
    const few = examples(1).filter(({ group }) => group === 'group-0' || group === 'group-1');
    expect(() => probeModality(few, SETTINGS)).toThrow(/two volumes or patients with CT/);
  });
});

describe('logistic regression', () => {
  it('is where the gradient of its loss is zero, and no neighbour is better by hand', () => {
    const rows = examples(0.4).map(({ features }) => Float64Array.from(features));
    const labels = examples(0.4).map(({ label }) => label);
    const model = fitLogistic(rows, labels, 0.7);
    expect(Math.max(...gradientOf(model, rows, labels, 0.7).map(Math.abs))).toBeLessThan(1e-6);
    // The gradient itself, against finite differences of the loss written down once more.
    const loss = (weights: Float64Array): number =>
      rows.reduce(
        (sum, row, i) => {
          const p = 1 / (1 + Math.exp(-logitOf({ weights }, row)));
          return sum - Math.log(labels[i] === 1 ? p : 1 - p);
        },
        0.35 * weights.subarray(0, -1).reduce((sum, weight) => sum + weight * weight, 0),
      );
    const at = Float64Array.from({ length: 7 }, (_, i) => 0.1 * i - 0.3);
    const gradient = gradientOf({ weights: at }, rows, labels, 0.7);
    at.forEach((_, i) => {
      const moved = (by: number): Float64Array => at.map((weight, j) => (j === i ? weight + by : weight));
      expect(gradient[i]).toBeCloseTo((loss(moved(1e-5)) - loss(moved(-1e-5))) / 2e-5, 4);
    });
  });

  it('counts both classes alike however many examples each has', () => {
    const rows = [0, 0, 0, 0, 0, 0, 1, 1].map((value) => Float64Array.of(value));
    const labels: Label[] = [0, 0, 0, 0, 0, 1, 1, 1];
    const { weights } = fitLogistic(rows, labels, 1e-9);
    // Of the rows at 0 the class 1 weighs 1/3 of a half, class 0 a whole half: odds 1/3.
    expect(logitOf({ weights }, Float64Array.of(0))).toBeCloseTo(Math.log(1 / 3), 4);
  });
});
