import type { WeightSet } from '@consilium/shared/weights';
import { type OptimizerPlan, optimizerPlanSchema } from '@consilium/shared/wire';
import { controlChange, correctionRule, gradientWeight } from './control-variates.js';

function sgd(changes: object = {}): OptimizerPlan {
  return optimizerPlanSchema.parse({ kind: 'sgd', learningRate: 0.1, momentum: 0, ...changes });
}

function vector(name: string, ...values: number[]): WeightSet[number] {
  return { name, shape: [values.length], values: Float32Array.from(values) };
}

function average(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Local steps by the optimizer's formulas, in 64 bits. */
function descend(
  start: number,
  gradients: readonly number[],
  rates: readonly number[],
  momentum: number,
  nesterov: boolean,
): number {
  let [w, velocity] = [start, 0];
  gradients.forEach((gradient, step) => {
    velocity = momentum * velocity + gradient;
    w -= (rates[step] as number) * (nesterov ? gradient + momentum * velocity : velocity);
  });
  return w;
}

describe('control variates', () => {
  it('correct by c − cᵢ, and by nothing while both are zero', () => {
    const [c, own] = [[vector('a', 1, 2)], [vector('a', 0.25, -1)]];
    expect(correctionRule({ mean: undefined, own: undefined })).toBeUndefined();
    expect(correctionRule({ mean: c, own: undefined })).toEqual({ tensors: c });
    expect(correctionRule({ mean: undefined, own })).toEqual({ tensors: [vector('a', -0.25, 1)] });
    expect(correctionRule({ mean: c, own })).toEqual({ tensors: [vector('a', 0.75, 3)] });
  });

  it('change by (x − y) / (K · η) − c, as option II says', () => {
    const change = controlChange({
      before: [vector('a', 1, 2), vector('statistic', 9)],
      after: [vector('a', 0.5, 3), vector('statistic', 8)],
      controlled: ['a'],
      mean: [vector('a', 0.125, -0.5)],
      optimizer: sgd(),
      weight: gradientWeight(sgd(), 5, () => 0.25),
    });
    expect(change).toEqual([vector('a', (1 - 0.5) / (5 * 0.25) - 0.125, (2 - 3) / (5 * 0.25) + 0.5)]);
  });

  it.each([
    ['plain', 0, false],
    ['momentum', 0.9, false],
    ['Nesterov', 0.9, true],
  ])('come to the mean of the gradients that the steps used: %s', (_what, momentum, nesterov) => {
    const rates = [0.1, 0.2, 0.3, 0.25, 0.05, 0.1, 0.1];
    const optimizer = sgd({ momentum, ...(nesterov ? { nesterov } : {}) });
    const of = (gradients: number[]): number => {
      const [after] = controlChange({
        before: [vector('a', 3)],
        after: [vector('a', descend(3, gradients, rates, momentum, nesterov))],
        controlled: ['a'],
        mean: undefined,
        optimizer,
        weight: gradientWeight(optimizer, rates.length, (step) => rates[step] as number),
      });
      return after?.values[0] ?? NaN;
    };
    expect(of(rates.map(() => 0.75))).toBeCloseTo(0.75, 5); // equal gradients are their own mean
    expect(of([1, -2, 4, 0.5, 3, -1, 2])).toBeLessThan(4);
    if (momentum === 0) {
      const sum = rates.reduce((total, rate) => total + rate, 0);
      const weighted = [1, -2, 4, 0.5, 3, -1, 2].reduce((total, g, step) => total + g * (rates[step] as number), 0);
      expect(of([1, -2, 4, 0.5, 3, -1, 2])).toBeCloseTo(weighted / sum, 5);
      expect(gradientWeight(optimizer, 7, (step) => rates[step] as number)).toBeCloseTo(sum, 12);
    }
  });

  it('count the rates of parameter groups, and leave frozen parameters alone', () => {
    const optimizer = sgd({
      groups: [
        { match: 'fast', rateFactor: 2 },
        { match: 'cold', frozen: true },
      ],
    });
    const change = controlChange({
      before: [vector('fast', 1), vector('cold', 1), vector('other', 1)],
      after: [vector('fast', 0.8), vector('cold', 1), vector('other', 0.8)],
      controlled: ['fast', 'cold', 'other'],
      mean: [vector('fast', 0), vector('cold', 7), vector('other', 0)],
      optimizer,
      weight: 0.1,
    });
    expect(change.map(({ name }) => name)).toEqual(['fast', 'cold', 'other']);
    [1, 0, 2].forEach((expected, i) => expect(change[i]?.values[0]).toBeCloseTo(expected, 5));
  });

  // Algorithm 1 on two sites with f₁ = (w − 1)², f₂ = 4 (w + 1)²: their mean is least at −0.6, where neither site's is.
  it('let two unlike sites come to the common optimum, where plain local steps stop elsewhere', () => {
    const gradients = [(w: number) => 2 * (w - 1), (w: number) => 8 * (w + 1)];
    const [rate, steps] = [0.05, 8];
    const optimizer = sgd({ learningRate: rate });
    const train = (corrected: boolean): number => {
      let [x, c] = [0, 0];
      const own = [0, 0];
      for (let round = 0; round < 200; round++) {
        const done = gradients.map((gradient, site) => {
          let y = x;
          for (let step = 0; step < steps; step++) y -= rate * (gradient(y) + (corrected ? c - (own[site] as number) : 0));
          const before = [vector('w', x)];
          const mean = [vector('w', c)];
          const change = controlChange({
            before,
            after: [vector('w', y)],
            controlled: ['w'],
            mean,
            optimizer,
            weight: gradientWeight(optimizer, steps, () => rate),
          });
          return { y, change: change[0]?.values[0] ?? NaN };
        });
        done.forEach(({ change }, site) => (own[site] = (own[site] as number) + change));
        x = average(done.map(({ y }) => y));
        c += average(done.map(({ change }) => change));
        expect(c).toBeCloseTo(average(own), 5);
      }
      return x;
    };
    expect(train(true)).toBeCloseTo(-0.6, 4);
    expect(Math.abs(train(false) + 0.6)).toBeGreaterThan(0.1);
  });
});
