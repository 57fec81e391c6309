/**
 * SCAFFOLD (Karimireddy et al., ICML 2020, algorithm 1, option II): each gradient is corrected by c − cᵢ, the mean of all
 * sites' control variates less the site's own, which afterwards becomes cᵢ⁺ = cᵢ − c + (x − yᵢ) / (K · η).
 *
 * K · η stands for how much the gradients count in x − yᵢ altogether. Under a schedule that is the sum of the steps' rates;
 * momentum, which the paper leaves out, uses every gradient again in later steps, and the sum counts that too: (x − yᵢ) less
 * the correction is then still a weighted mean of the site's gradients. The correction is part of the gradient and clipped
 * with it.
 */
import { required } from '@consilium/shared/kernel';
import { nameMatcher } from '@consilium/shared/models';
import { subtractWeights, type WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import type { GradientRule } from './gradient-rule.js';

/** c and cᵢ by the parameters' names; undefined is zero. */
export interface Controls {
  readonly mean: WeightSet | undefined;
  readonly own: WeightSet | undefined;
}

/** c − cᵢ; undefined while both are zero. */
export function correctionRule({ mean, own }: Controls): GradientRule | undefined {
  if (mean !== undefined && own !== undefined) return { tensors: subtractWeights(mean, own) };
  if (mean !== undefined) return { tensors: mean };
  return own && { tensors: own.map((tensor) => ({ ...tensor, values: tensor.values.map((value) => -value) })) };
}

export interface RoundDone {
  /** x and yᵢ, the weights before the first and after the last step; only `controlled` parameters are looked at. */
  readonly before: WeightSet;
  readonly after: WeightSet;
  readonly controlled: readonly string[];
  readonly mean: WeightSet | undefined;
  readonly optimizer: OptimizerPlan;
  /** K · η: see {@link gradientWeight}. */
  readonly weight: number;
}

/** cᵢ⁺ − cᵢ = (x − yᵢ) / (K · η) − c, in the order of `controlled`; zero for frozen parameters. */
export function controlChange({ before, after, controlled, mean, optimizer, weight }: RoundDone): WeightSet {
  const [starts, ends, means] = [byName(before), byName(after), byName(mean ?? [])];
  return controlled.map((name) => {
    const [start, end] = [required(starts.get(name), 'the start of a parameter'), required(ends.get(name), 'its end')];
    const values = new Float32Array(start.values.length);
    const counted = weight * rateFactorOf(optimizer, name);
    if (counted > 0) {
      const c = means.get(name)?.values;
      for (let i = 0; i < values.length; i++) {
        values[i] = ((start.values[i] as number) - (end.values[i] as number)) / counted - (c?.[i] ?? 0);
      }
    }
    return { name, shape: start.shape, values };
  });
}

/**
 * Sum over the steps of the rates with which each step's gradient enters the weights, then and through momentum later. Steps
 * are counted from 0.
 */
export function gradientWeight(optimizer: OptimizerPlan, steps: number, rateAt: (step: number) => number): number {
  const { momentum, nesterov } = optimizer.kind === 'sgd' ? optimizer : { momentum: 0, nesterov: false };
  let inVelocity = 0;
  let weight = 0;
  for (let step = 0; step < steps; step++) {
    inVelocity = momentum * inVelocity + 1;
    weight += rateAt(step) * (nesterov === true ? 1 + momentum * inVelocity : inVelocity);
  }
  return weight;
}

/** Of the first group that matches; 0 for frozen parameters. */
function rateFactorOf({ groups = [] }: OptimizerPlan, name: string): number {
  const group = groups.find(({ match }) => nameMatcher(match)(name));
  return group?.frozen === true ? 0 : (group?.rateFactor ?? 1);
}

function byName(weights: WeightSet): ReadonlyMap<string, WeightSet[number]> {
  return new Map(weights.map((tensor) => [tensor.name, tensor]));
}
