/**
 * Two-class logistic regression with an L2 penalty, by Newton's method (iteratively reweighted least squares; McCullagh and Nelder,
 * "Generalized Linear Models", 1989, section 2.5). Classes count alike however many examples each has. The loss is convex: there is
 * one solution, and no seed.
 */
import { FederationError } from '@consilium/shared/kernel';

export type Label = 0 | 1;

/** Rows of equal length. */
export type Rows = readonly Float64Array[];

export interface LogisticModel {
  /** One for each feature, then the intercept, which is not penalised. */
  readonly weights: Float64Array;
}

const MOST_ITERATIONS = 100;
const TOLERANCE = 1e-9;
/** Beyond this a weight of the quadratic model is 0 in 64 bits. */
const LEAST_CURVATURE = 1e-12;

/** What each example counts, so that both classes come to half of the examples. */
export function balancedWeights(labels: readonly Label[]): number[] {
  const ones = labels.filter((label) => label === 1).length;
  const share = [labels.length / (2 * (labels.length - ones)), labels.length / (2 * ones)];
  return labels.map((label) => share[label] as number);
}

/** Minimises Σ weight · log-loss + penalty/2 · ‖w‖². Both classes must be there. */
export function fitLogistic(rows: Rows, labels: readonly Label[], penalty: number): LogisticModel {
  const features = rows[0]?.length ?? 0;
  const size = features + 1;
  const counts = balancedWeights(labels);
  let weights = new Float64Array(size);
  let loss = lossOf(weights, rows, labels, counts, penalty);
  for (let iteration = 0; iteration < MOST_ITERATIONS; iteration++) {
    const { gradient, hessian } = derivatives(weights, rows, labels, counts, penalty);
    if (Math.max(...gradient.map(Math.abs)) < TOLERANCE * labels.length) return { weights };
    const step = solve(hessian, gradient, size);
    // Halving keeps a far first step from overshooting; the loss is convex, so some share of it always descends.
    let share = 1;
    let next = weights;
    let nextLoss = Infinity;
    while (share > 1e-8 && !(nextLoss <= loss)) {
      const taken = share;
      next = weights.map((weight, i) => weight - taken * (step[i] as number));
      nextLoss = lossOf(next, rows, labels, counts, penalty);
      share /= 2;
    }
    if (!(nextLoss < loss)) return { weights };
    [weights, loss] = [next, nextLoss];
  }
  return { weights };
}

/** Log-odds of class 1. */
export function logitOf({ weights }: LogisticModel, row: Float64Array): number {
  let sum = weights[row.length] as number;
  for (let i = 0; i < row.length; i++) sum += (weights[i] as number) * (row[i] as number);
  return sum;
}

/** The gradient of the loss that {@link fitLogistic} minimises; 0 at its solution. */
export function gradientOf({ weights }: LogisticModel, rows: Rows, labels: readonly Label[], penalty: number): Float64Array {
  return derivatives(weights, rows, labels, balancedWeights(labels), penalty).gradient;
}

function lossOf(weights: Float64Array, rows: Rows, labels: readonly Label[], counts: readonly number[], penalty: number): number {
  const loss = rows.reduce((sum, row, example) => {
    const margin = (labels[example] === 1 ? -1 : 1) * logitOf({ weights }, row);
    const each = margin > 0 ? margin + Math.log1p(Math.exp(-margin)) : Math.log1p(Math.exp(margin));
    return sum + (counts[example] as number) * each;
  }, 0);
  return loss + (penalty / 2) * weights.subarray(0, -1).reduce((sum, weight) => sum + weight * weight, 0);
}

function derivatives(
  weights: Float64Array,
  rows: Rows,
  labels: readonly Label[],
  counts: readonly number[],
  penalty: number,
): { readonly gradient: Float64Array; readonly hessian: Float64Array } {
  const size = weights.length;
  const gradient = new Float64Array(size);
  const hessian = new Float64Array(size * size);
  rows.forEach((row, example) => {
    const probability = 1 / (1 + Math.exp(-logitOf({ weights }, row)));
    const count = counts[example] as number;
    const slope = count * (probability - (labels[example] as number));
    const curvature = count * Math.max(LEAST_CURVATURE, probability * (1 - probability));
    for (let i = 0; i < size; i++) {
      const value = i < row.length ? (row[i] as number) : 1;
      gradient[i] = (gradient[i] as number) + slope * value;
      for (let j = 0; j <= i; j++) {
        const other = j < row.length ? (row[j] as number) : 1;
        hessian[i * size + j] = (hessian[i * size + j] as number) + curvature * value * other;
      }
    }
  });
  for (let i = 0; i < size - 1; i++) {
    gradient[i] = (gradient[i] as number) + penalty * (weights[i] as number);
    hessian[i * size + i] = (hessian[i * size + i] as number) + penalty;
  }
  return { gradient, hessian };
}

/** x of A·x = b by Cholesky, for a positive definite A of which the lower half is given. Overwrites A. */
function solve(matrix: Float64Array, right: Float64Array, size: number): Float64Array {
  const at = (i: number, j: number): number => matrix[i * size + j] as number;
  for (let j = 0; j < size; j++) {
    for (let i = j; i < size; i++) {
      let sum = at(i, j);
      for (let k = 0; k < j; k++) sum -= at(i, k) * at(j, k);
      if (i > j) matrix[i * size + j] = sum / at(j, j);
      else if (sum > 0) matrix[i * size + j] = Math.sqrt(sum);
      else throw new FederationError('INVARIANT', 'a penalised logistic regression has a definite curvature');
    }
  }
  const x = Float64Array.from(right);
  for (let i = 0; i < size; i++) {
    let sum = x[i] as number;
    for (let k = 0; k < i; k++) sum -= at(i, k) * (x[k] as number);
    x[i] = sum / at(i, i);
  }
  for (let i = size - 1; i >= 0; i--) {
    let sum = x[i] as number;
    for (let k = i + 1; k < size; k++) sum -= at(k, i) * (x[k] as number);
    x[i] = sum / at(i, i);
  }
  return x;
}
