/**
 * What a round gives: the tensors that leave the site, and what the site keeps. With error feedback (Seide et al., Interspeech
 * 2014; Karimireddy et al., ICML 2019, algorithm 2) a site delivers q(δ + e) and keeps e ← (δ + e) − q(δ + e): over the rounds
 * nothing is lost by rounding.
 */
import { CONTROL_PREFIX, scopedManifest } from '@consilium/shared/models';
import {
  addWeights,
  type EncodedTensor,
  encodeUpdate,
  federatedPart,
  firstNonFinite,
  type Manifest,
  siteLocalPart,
  subtractWeights,
  type WeightSet,
  type WeightTensor,
} from '@consilium/shared/weights';
import { partOfRound, type RoundPlan, type UpdateReport } from '@consilium/shared/wire';
import { type KeptState, keptParts } from './kept-state.js';
import { controlChange, gradientWeight } from './local-rules/control-variates.js';
import { type DeltaProtection, protectionFor, type SiteNoise } from './protect-deltas.js';
import { rateInRound } from './schedules/round-rate.js';
import { prefixed, withPrefix } from './tensor-groups.js';
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
  /** For plans with the local form of privacy. */
  readonly noise?: SiteNoise | undefined;
  /** True for parameters that this site has not trained and leaves out of its update; none when left out. */
  readonly leavesOut?: ((name: string) => boolean) | undefined;
}

export interface MadeUpdate {
  /** In the manifest's order; control variates follow. */
  readonly tensors: readonly EncodedTensor[];
  /** What the site keeps once the update is acknowledged; no member where the plan asks for none. */
  readonly next: KeptState;
  /** For the report; undefined where the plan says nothing of updates. */
  readonly figures: Required<Pick<UpdateReport, 'deltaNorm' | 'encodingError'>> | undefined;
}

/**
 * Throws TRAINING_DIVERGED or UPDATE_NOT_FINITE unless all that would be delivered or kept is finite and fits its format. Works
 * tensor by tensor: only what is delivered and what is kept is ever there as a whole.
 */
export function makeUpdate(round: TrainedRound): MadeUpdate {
  const { plan, trained, steps, leavesOut } = round;
  const wanted = keptParts(plan);
  const manifest = scopedManifest(plan.model, plan.siteLocal, partOfRound(plan.objective, plan.roundNumber));
  const federated = pick(trained, federatedPart(manifest).tensors);
  const protect = protectionFor(plan, deltasOf(federated, round.base), round.noise);
  const parts = federated.map((tensor) =>
    leavesOut?.(tensor.name) === true
      ? leaveOut(round, tensor, wanted.residual)
      : encodeDelta(round, [tensor], wanted.residual, protect),
  );
  const controls = wanted.control?.tensors.map(({ name }) => encodeControl(round, name)) ?? [];
  const siteLocal = wanted.siteLocal && pick(trained, siteLocalPart(manifest).tensors);
  if (siteLocal !== undefined) requireFinite(siteLocal, steps);
  return {
    tensors: [...parts, ...controls].flatMap(({ tensors }) => tensors),
    next: {
      residual: wanted.residual && parts.flatMap(({ kept }) => kept),
      control: wanted.control && controls.flatMap(({ kept }) => kept),
      siteLocal,
    },
    figures: plan.updates && figuresOf(parts),
  };
}

/** One tensor of the update, and what is kept because of it. */
interface Part {
  readonly tensors: readonly EncodedTensor[];
  readonly kept: WeightSet;
}

/** Sums of squares, in 64 bits. */
interface DeltaPart extends Part {
  readonly squares: { readonly delta: number; readonly whole: number; readonly lost: number };
}

/** Tensor by tensor: they are never there as a whole. */
function* deltasOf(trained: WeightSet, base: WeightSet): Generator<WeightTensor> {
  for (const tensor of trained) yield* subtractWeights([tensor], base);
}

function encodeDelta(
  { plan, base, kept, steps }: TrainedRound,
  trained: WeightSet,
  feedback: Manifest | undefined,
  protect: DeltaProtection,
): DeltaPart {
  const delta = subtractWeights(trained, base).map(protect);
  const whole = feedback === undefined || kept.residual === undefined ? delta : addWeights(delta, kept.residual);
  requireFinite(whole, steps);
  const { tensors, decoded } = encodeUpdate(whole, plan.updates?.format ?? 'f32');
  if (plan.updates === undefined) return { tensors, kept: [], squares: { delta: 0, whole: 0, lost: 0 } };
  const lost = subtractWeights(whole, decoded);
  const squares = { delta: squaresOf(delta), whole: squaresOf(whole), lost: squaresOf(lost) };
  return { tensors, kept: feedback === undefined ? [] : lost, squares };
}

/** Nothing is delivered; what earlier roundings took is still to come. */
function leaveOut({ kept }: TrainedRound, { name, shape, values }: WeightTensor, feedback: Manifest | undefined): DeltaPart {
  const earlier = kept.residual?.filter((tensor) => tensor.name === name) ?? [];
  const owed = earlier.length > 0 ? earlier : [{ name, shape, values: new Float32Array(values.length) }];
  return { tensors: [], kept: feedback === undefined ? [] : owed, squares: { delta: 0, whole: 0, lost: 0 } };
}

function figuresOf(parts: readonly DeltaPart[]): MadeUpdate['figures'] {
  const norm = (of: keyof DeltaPart['squares']): number => Math.sqrt(parts.reduce((sum, { squares }) => sum + squares[of], 0));
  return { deltaNorm: norm('delta'), encodingError: norm('lost') / (norm('whole') || 1) };
}

/**
 * The site's control variate moves by what the coordinator will read, not by what was rounded off: so the mean of all sites'
 * stays the mean, and the next change makes up for the rounding.
 */
function encodeControl({ plan, base, kept, mean, last, steps }: TrainedRound, name: string): Part {
  const { optimizer } = plan.training;
  const weight = gradientWeight(optimizer, steps, (step) => rateInRound(plan, step));
  const change = controlChange({ before: base, after: last, controlled: [name], mean, optimizer, weight });
  requireFinite(change, steps);
  const { tensors, decoded } = encodeUpdate(prefixed(CONTROL_PREFIX, change), plan.updates?.format ?? 'f32');
  const moved = withPrefix(CONTROL_PREFIX, decoded);
  return { tensors, kept: kept.control === undefined ? moved : addWeights(moved, kept.control) };
}

function pick(weights: WeightSet, entries: readonly { readonly name: string }[]): WeightSet {
  const names = new Set(entries.map(({ name }) => name));
  return weights.filter(({ name }) => names.has(name));
}

function requireFinite(weights: WeightSet, steps: number): void {
  const broken = firstNonFinite(weights);
  if (broken !== undefined) throw diverged(steps, `the tensor ${broken} is no longer finite`);
}

function squaresOf(weights: WeightSet): number {
  let sum = 0;
  for (const { values } of weights) for (let i = 0; i < values.length; i++) sum += (values[i] as number) ** 2;
  return sum;
}
