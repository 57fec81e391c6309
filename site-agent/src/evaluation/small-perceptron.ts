/** A perceptron with one hidden layer of tanh units, trained with Adam on all examples at once: what a line cannot separate. */
import type { Random } from '@consilium/shared/kernel';
import { balancedWeights, type Label, type Rows } from './logistic-regression.js';

const HIDDEN = 16;
const STEPS = 200;
const RATE = 0.02;
const DECAY = 1e-3;

/** Log-odds of class 1. */
export type Perceptron = (row: Float64Array) => number;

/** The seeded start decides the solution. Both classes must be there. */
export function fitPerceptron(rows: Rows, labels: readonly Label[], random: Random): Perceptron {
  const inputs = rows[0]?.length ?? 0;
  const perHidden = inputs + 1;
  // Hidden weights with their biases, then the answer's weights with its bias.
  const weights = new Float64Array(HIDDEN * perHidden + HIDDEN + 1);
  const spread = 1 / Math.sqrt(inputs);
  for (let i = 0; i < weights.length; i++) weights[i] = random.between(-spread, spread);
  const counts = balancedWeights(labels);
  const [first, second] = [new Float64Array(weights.length), new Float64Array(weights.length)];
  const hidden = new Float64Array(HIDDEN);
  for (let step = 1; step <= STEPS; step++) {
    const gradient = weights.map((weight) => DECAY * weight);
    rows.forEach((row, example) => {
      const logit = answer(weights, row, hidden);
      const slope = ((counts[example] as number) * (1 / (1 + Math.exp(-logit)) - (labels[example] as number))) / rows.length;
      addGradient(gradient, weights, row, hidden, slope);
    });
    for (let i = 0; i < weights.length; i++) {
      const g = gradient[i] as number;
      first[i] = 0.9 * (first[i] as number) + 0.1 * g;
      second[i] = 0.999 * (second[i] as number) + 0.001 * g * g;
      const scale = Math.sqrt((second[i] as number) / (1 - 0.999 ** step)) + 1e-8;
      weights[i] = (weights[i] as number) - (RATE * (first[i] as number)) / (1 - 0.9 ** step) / scale;
    }
  }
  return (row) => answer(weights, row, hidden);
}

function answer(weights: Float64Array, row: Float64Array, hidden: Float64Array): number {
  const perHidden = row.length + 1;
  const last = HIDDEN * perHidden;
  let logit = weights[last + HIDDEN] as number;
  for (let unit = 0; unit < HIDDEN; unit++) {
    const from = unit * perHidden;
    let sum = weights[from + row.length] as number;
    for (let i = 0; i < row.length; i++) sum += (weights[from + i] as number) * (row[i] as number);
    hidden[unit] = Math.tanh(sum);
    logit += (weights[last + unit] as number) * (hidden[unit] as number);
  }
  return logit;
}

/** Adds an example's gradient; `hidden` holds its hidden answers. */
function addGradient(into: Float64Array, weights: Float64Array, row: Float64Array, hidden: Float64Array, slope: number): void {
  const perHidden = row.length + 1;
  const last = HIDDEN * perHidden;
  into[last + HIDDEN] = (into[last + HIDDEN] as number) + slope;
  for (let unit = 0; unit < HIDDEN; unit++) {
    const value = hidden[unit] as number;
    into[last + unit] = (into[last + unit] as number) + slope * value;
    const back = slope * (weights[last + unit] as number) * (1 - value * value);
    const from = unit * perHidden;
    for (let i = 0; i < row.length; i++) into[from + i] = (into[from + i] as number) + back * (row[i] as number);
    into[from + row.length] = (into[from + row.length] as number) + back;
  }
}
