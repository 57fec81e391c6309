/**
 * A site's part of a federated step of the modality adversary: the gradient of its own patches at weights that all sites share,
 * with all but the adversary held fixed (docs/guides/universal-model.md). Nothing is updated here.
 */
import { ADVERSARY_PREFIX, type UniversalSpec } from '@consilium/shared/models';
import { elementCount, type WeightSet } from '@consilium/shared/weights';
import { FederationError } from '@consilium/shared/kernel';
import type { RoundPlan } from '@consilium/shared/wire';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { Precision } from '../engine/tape.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { openProbe } from './batch-feed.js';
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
  readonly batches: Iterable<PatchBatch> | AsyncIterable<PatchBatch>;
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
    for await (const batch of batches) {
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

/**
 * The labelled pairs of an adversary round, distorted as in training: a function of the campaign's seed, the round's number and
 * the site's volumes.
 */
export async function openAdversaryPatches(
  { seed, roundNumber, patch, objective }: Pick<RoundPlan, 'seed' | 'roundNumber' | 'patch' | 'objective'>,
  volumes: readonly PreparedVolume[],
): Promise<PatchBatch[]> {
  if (objective.kind !== 'universal-model' || objective.adversary.mode !== 'frozen') {
    throw new FederationError('INVARIANT', 'only a frozen adversary has rounds of its own');
  }
  const { patches } = objective.adversary;
  return openProbe({ volumes, patch, objective, patches, streamName: `${seed}/adversary-${roundNumber}` });
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
