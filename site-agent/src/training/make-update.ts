/**
 * What a round gives: the tensors that leave the site, and what the site keeps. With error feedback (Seide et al., Interspeech
 * 2014; Karimireddy et al., ICML 2019, algorithm 2) a site delivers q(δ + e) and keeps e ← (δ + e) − q(δ + e): over the rounds
 * nothing is lost by rounding.
 */
import { controlManifest, CONTROL_PREFIX, scopedManifest } from '@consilium/shared/models';
import {
  addWeights,
  type EncodedTensor,
  encodeUpdate,
  federatedPart,
  firstNonFinite,
  siteLocalPart,
  subtractWeights,
  type WeightSet,
} from '@consilium/shared/weights';
import type { RoundPlan, UpdateReport } from '@consilium/shared/wire';
import { type KeptState, keptParts } from './kept-state.js';
import { controlChange } from './local-rules/control-variates.js';
import { rateInRound } from './schedules/round-rate.js';
import { prefixed } from './tensor-groups.js';
import { diverged } from './train.js';

export interface TrainedRound {
  readonly plan: RoundPlan;
  /** What training began with; at sites that keep parameters for themselves, theirs. */
  readonly base: WeightSet;
  readonly kept: KeptState;
  /** The mean of all sites' control variates. */
  readonly mean: WeightSet | undefined;
  /** What is delivered: the weights after the last step, or their moving average. */
  readonly trained: WeightSet;
  /** The weights after the last step, whatever is delivered. */
  readonly last: WeightSet;
  readonly steps: number;
}

export interface MadeUpdate {
  /** In the manifest's order; control variates follow. */
  readonly tensors: readonly EncodedTensor[];
  /** What the site keeps once the update is acknowledged; no member where the plan asks for none. */
  readonly next: KeptState;
  /** For the report; undefined where the plan says nothing of updates. */
  readonly figures: Required<Pick<UpdateReport, 'deltaNorm' | 'encodingError'>> | undefined;
}

/** Throws TRAINING_DIVERGED or UPDATE_NOT_FINITE unless all that would be delivered or kept is finite and fits its format. */
export function makeUpdate(round: TrainedRound): MadeUpdate {
  const { plan, base, kept, trained, steps } = round;
  const format = plan.updates?.format ?? 'f32';
  const wanted = keptParts(plan);
  const manifest = scopedManifest(plan.model, plan.siteLocal);
  const delta = subtractWeights(pick(trained, federatedPart(manifest).tensors), base);
  const whole = wanted.residual === undefined || kept.residual === undefined ? delta : addWeights(delta, kept.residual);
  requireFinite(whole, steps);
  const { tensors, decoded } = encodeUpdate(whole, format);
  const lost = plan.updates && subtractWeights(whole, decoded);
  const control = wanted.control && trainControl(round, format);
  const siteLocal = wanted.siteLocal && pick(trained, siteLocalPart(manifest).tensors);
  if (siteLocal !== undefined) requireFinite(siteLocal, steps);
  return {
    tensors: [...tensors, ...(control?.tensors ?? [])],
    next: { residual: wanted.residual && lost, control: control?.own, siteLocal },
    figures: lost && { deltaNorm: normOf(delta), encodingError: normOf(lost) / (normOf(whole) || 1) },
  };
}

/**
 * The site's control variate moves by what the coordinator will read, not by what was rounded off: so the mean of all sites'
 * stays the mean, and the next change makes up for the rounding.
 */
function trainControl(
  { plan, base, kept, mean, last, steps }: TrainedRound,
  format: 'f32' | 'f16' | 'bf16' | 'int8',
): { tensors: readonly EncodedTensor[]; own: WeightSet } {
  const controlled = controlManifest(plan.model, plan.siteLocal).tensors.map(({ name }) => name.slice(CONTROL_PREFIX.length));
  const change = controlChange({
    before: base,
    after: last,
    controlled,
    mean,
    optimizer: plan.training.optimizer,
    steps,
    rateAt: (step) => rateInRound(plan, step),
  });
  requireFinite(change, steps);
  const { tensors, decoded } = encodeUpdate(prefixed(CONTROL_PREFIX, change), format);
  const moved = decoded.map((tensor) => ({ ...tensor, name: tensor.name.slice(CONTROL_PREFIX.length) }));
  return { tensors, own: kept.control === undefined ? moved : addWeights(moved, kept.control) };
}

function pick(weights: WeightSet, entries: readonly { readonly name: string }[]): WeightSet {
  const names = new Set(entries.map(({ name }) => name));
  return weights.filter(({ name }) => names.has(name));
}

function requireFinite(weights: WeightSet, steps: number): void {
  const broken = firstNonFinite(weights);
  if (broken !== undefined) throw diverged(steps, `the tensor ${broken} is no longer finite`);
}

/** In 64 bits. */
function normOf(weights: WeightSet): number {
  let sum = 0;
  for (const { values } of weights) for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return Math.sqrt(sum);
}
