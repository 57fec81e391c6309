/**
 * A site's part of a federated step of the modality adversary: the gradient of its own patches at weights that all sites share,
 * with all but the adversary held fixed (docs/guides/universal-model.md). Nothing is updated here.
 */
import { ADVERSARY_PREFIX, type UniversalSpec } from '@consilium/shared/models';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import { FederationError, required } from '@consilium/shared/kernel';
import { frozenAdversary, type RoundPlan } from '@consilium/shared/wire';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { Precision } from '../engine/tape.js';
import { clockOfRound } from '../objectives/universal-clock.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { patchBatches } from './batch-feed.js';
import { Learner } from './learner.js';
import type { PatchBatch } from './patch-batch.js';
import { letEventsIn, obeyStop } from './train.js';

export interface AdversaryGradient {
  /**
   * d(mean cross-entropy)/d(parameter) of every tensor whose name begins with `modality.`: PyTorch's layout, the manifest's
   * order. Biases that the adversary's norms take away again have zeros.
   */
  readonly gradient: WeightSet;
  /** Mean cross-entropy of the patches' modalities. */
  readonly loss: number;
  /** Share of the patches whose modality the adversary tells. */
  readonly accuracy: number;
  /** What the gradient is the mean of: the site's weight among the sites. */
  readonly patches: number;
}

export interface AdversaryGradientOptions {
  readonly runtime: Runtime;
  readonly spec: UniversalSpec;
  /** Of the whole model. */
  readonly weights: WeightSet;
  /** With labels. */
  readonly batches: Iterable<PatchBatch>;
  /** `f32` by default. */
  readonly precision?: Precision | undefined;
  readonly stop: AbortSignal;
  onBatch?(batches: number): void;
}

/**
 * The exact mean over all patches of all batches, summed up in 64 bits: where the norm keeps examples apart, the sites' gradients
 * weighted by their patches are the gradient of all their patches together. Throws TRAINING_DIVERGED when the weights give no
 * finite gradient, TRAINER_STOPPED when asked to stop.
 */
export async function adversaryGradient(options: AdversaryGradientOptions): Promise<AdversaryGradient> {
  const { runtime, spec, weights, precision, batches, stop } = options;
  const learner = Learner.create({ runtime, spec, precision, objective: { kind: 'adversary' } });
  try {
    learner.loadWeights(weights);
    const sum = new GradientSum();
    let done = 0;
    for (const batch of batches) {
      obeyStop(stop);
      const { loss, gradients } = learner.lossAndGradients(batch);
      sum.add(gradients, { loss, accuracy: learner.stepFigures.modalityAccuracy ?? 0, patches: batch.patches });
      options.onBatch?.(++done);
      await letEventsIn();
    }
    return sum.mean();
  } finally {
    learner.dispose();
  }
}

/** What the patches of an adversary round depend on, beside the volumes. */
export type AdversaryPatchPlan = Pick<RoundPlan, 'seed' | 'roundNumber' | 'rounds' | 'training' | 'patch' | 'objective'>;

/**
 * The labelled pairs of an adversary round from the one of the given number on, distorted as in the step of the representation that
 * comes next: a function of the campaign's seed, the round's number and the site's volumes. Each batch is made when it is asked for.
 */
export function adversaryPatches(plan: AdversaryPatchPlan, volumes: readonly PreparedVolume[], first = 0): Iterable<PatchBatch> {
  const { seed, roundNumber, patch, objective } = plan;
  const { patches } = required(frozenAdversary(objective), 'the frozen adversary of an adversary round');
  const { stepsBefore, steps } = clockOfRound(plan);
  // All of them at one point of a curriculum: the representation stands still meanwhile.
  const clock = { pairsPerStep: patches, stepsBefore, totalSteps: steps };
  return patchBatches({ volumes, patch, objective, patches, clock, first, streamName: `${seed}/adversary-${roundNumber}` });
}

/** Gradients of several batches, each weighted by its patches. */
class GradientSum {
  private readonly sums = new Map<string, { readonly shape: readonly number[]; readonly values: Float64Array }>();
  private readonly totals = { loss: 0, accuracy: 0, patches: 0 };

  add(gradients: WeightSet, { loss, accuracy, patches }: Omit<AdversaryGradient, 'gradient'>): void {
    for (const { name, shape, values } of gradients) {
      if (!name.startsWith(ADVERSARY_PREFIX)) continue;
      const sum = this.sums.get(name) ?? { shape, values: new Float64Array(elementCount(shape)) };
      for (let i = 0; i < values.length; i++) sum.values[i] = (sum.values[i] as number) + (values[i] as number) * patches;
      this.sums.set(name, sum);
    }
    this.totals.loss += loss * patches;
    this.totals.accuracy += accuracy * patches;
    this.totals.patches += patches;
  }

  mean(): AdversaryGradient {
    const { loss, accuracy, patches } = this.totals;
    const gradient = [...this.sums].map(([name, { shape, values }]) => {
      return { name, shape, values: Float32Array.from(values, (value) => value / patches) };
    });
    const finite = gradient.every(({ values }) => values.every(Number.isFinite));
    if (finite && Number.isFinite(loss)) return { gradient, loss: loss / patches, accuracy: accuracy / patches, patches };
    throw new FederationError('TRAINING_DIVERGED', 'the adversary has no finite gradient at these weights', {
      remedy: 'Lower the adversary’s learning rate in the plan.',
    });
  }
}
