/** The monitors of the Universal Model (spec C5) on a probe: docs/guides/universal-model.md says how to read them. */
import { required } from '@consilium/shared/kernel';
import type { Monitors, ObjectivePlan, ProbeScore } from '@consilium/shared/wire';
import { effectiveRank } from './effective-rank.js';
import type { PatchObservation } from './observe-patches.js';
import { MODALITY_CLASSES, type PatchBatch, type PatchLabels, type ProbeBatch } from './patch-batch.js';
import { type Restorer, scoreProbe, scoreRestored } from './score-version.js';

/** The part of a learner that monitoring needs. */
export interface Observed {
  observe(batch: PatchBatch): PatchObservation;
}

/** What one way through a probe shows. */
export interface ProbeLook {
  readonly score: ProbeScore;
  /** Of a model with heads only. */
  readonly monitors?: Monitors | undefined;
}

/** Patches whose features the rank is of, at most: its time grows with the cube of their number, and it cannot be stopped. */
const MOST_RANKED_PATCHES = 512;

/** The score of a probe, and for a universal objective its monitors, from one way through the network. */
export async function lookAtProbe(
  learner: Observed & Restorer,
  { kind }: Pick<ObjectivePlan, 'kind'>,
  probe: Iterable<ProbeBatch>,
  stop: AbortSignal,
  onBatch?: (batches: number) => void,
): Promise<ProbeLook> {
  if (kind === 'universal-model') return monitorProbe(learner, probe, stop, onBatch);
  return { score: await scoreProbe(learner, probe, stop, onBatch) };
}

/** Score and monitors from one way through the network; the batches have labels. */
export async function monitorProbe(
  learner: Observed,
  probe: Iterable<ProbeBatch>,
  stop: AbortSignal,
  onBatch?: (batches: number) => void,
): Promise<Required<ProbeLook>> {
  const heads = new HeadSums();
  const restore = (batch: ProbeBatch): Float32Array => {
    const seen = learner.observe(batch);
    heads.add(seen, required(batch.labels, 'the labels of a probe'));
    return seen.restored;
  };
  const score = await scoreRestored(restore, probe, stop, onBatch);
  return { score, monitors: heads.monitorsBeside(score) };
}

/** What heads and features say, over all batches. */
class HeadSums {
  private readonly scale = new Hits();
  private readonly modality = new Hits();
  private readonly patchesOf = MODALITY_CLASSES.map(() => 0);
  private readonly features: Float32Array[] = [];
  private rankedPatches = 0;

  add(seen: PatchObservation, labels: PatchLabels): void {
    this.scale.add(seen.scale, labels.scale);
    this.modality.add(seen.modality, labels.modality);
    for (const label of labels.modality) this.patchesOf[label] = (this.patchesOf[label] ?? 0) + 1;
    const patches = labels.modality.length;
    const ranked = Math.min(patches, MOST_RANKED_PATCHES - this.rankedPatches);
    this.features.push(seen.features.subarray(0, (seen.features.length / patches) * ranked));
    this.rankedPatches += ranked;
  }

  monitorsBeside({ patches, groups = [] }: ProbeScore): Monitors {
    const restoration = MODALITY_CLASSES.flatMap((modality, label): Monitors['restoration'] => {
      const group = groups.find((one) => one.modality === modality && one.treatment === undefined);
      if (group === undefined) return [];
      const { restorationError, constantError, skill } = group;
      return [{ modality, patches: required(this.patchesOf[label], 'a count'), restorationError, constantError, skill }];
    });
    const values = Float32Array.from(this.features.flatMap((part) => [...part]));
    const featureRank = effectiveRank(values, this.rankedPatches);
    return {
      patches,
      restoration,
      scaleAccuracy: this.scale.share,
      modalityAccuracy: this.modality.share,
      featureRank,
    };
  }
}

/** How often the largest logit is that of the label. */
class Hits {
  private hits = 0;
  private count = 0;

  add(logits: Float32Array | undefined, labels: readonly number[]): void {
    if (logits === undefined) return;
    const classes = logits.length / labels.length;
    for (const [i, label] of labels.entries()) {
      const row = logits.subarray(i * classes, (i + 1) * classes);
      if (row.indexOf(Math.max(...row)) === label) this.hits += 1;
      this.count += 1;
    }
  }

  /** Undefined when nothing was judged. */
  get share(): number | undefined {
    return this.count === 0 ? undefined : this.hits / this.count;
  }
}
