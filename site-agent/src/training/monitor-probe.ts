/** The monitors of the Universal Model (spec C5) on a site's frozen probe: docs/guides/universal-model.md says how to read them. */
import { required } from '@consilium/shared/kernel';
import type { Monitors } from '@consilium/shared/wire';
import { voxelsOf } from './batch-passes.js';
import { effectiveRank } from './effective-rank.js';
import type { PatchObservation } from './observe-patches.js';
import { MODALITY_CLASSES, type PatchBatch } from './patch-batch.js';
import { letEventsIn, obeyStop } from './train.js';

/** The part of a learner that monitoring needs. */
export interface Observed {
  observe(batch: PatchBatch): PatchObservation;
}

/** All monitors from one way through the network; the batches have labels. Sums are in 64 bits. */
export async function monitorProbe(learner: Observed, probe: readonly PatchBatch[], stop: AbortSignal): Promise<Monitors> {
  const restoration = MODALITY_CLASSES.map(() => new RestorationSums());
  const scale = new Hits();
  const modality = new Hits();
  const features: Float32Array[] = [];
  let patches = 0;
  for (const batch of probe) {
    obeyStop(stop);
    const labels = required(batch.labels, 'the labels of a probe');
    const seen = learner.observe(batch);
    const voxels = voxelsOf(batch.sizeVoxels);
    for (const [i, label] of labels.modality.entries()) {
      const part = (values: Float32Array): Float32Array => values.subarray(i * voxels, (i + 1) * voxels);
      restoration[label]?.add(part(seen.restored), part(batch.target));
    }
    scale.add(seen.scale, labels.scale);
    modality.add(seen.modality, labels.modality);
    features.push(seen.features);
    patches += batch.patches;
    await letEventsIn();
  }
  return {
    patches,
    restoration: MODALITY_CLASSES.flatMap((name, label) => restoration[label]?.score(name) ?? []),
    scaleAccuracy: scale.share,
    modalityAccuracy: modality.share,
    featureRank: effectiveRank(Float32Array.from(features.flatMap((values) => [...values])), patches),
  };
}

/** Errors of the restored patches of one modality, and of their best constant. */
class RestorationSums {
  private patches = 0;
  private voxels = 0;
  private squaredError = 0;
  private target = 0;
  private targetSquared = 0;

  add(restored: Float32Array, target: Float32Array): void {
    for (let i = 0; i < target.length; i++) {
      const wanted = target[i] as number;
      const error = (restored[i] as number) - wanted;
      this.squaredError += error * error;
      this.target += wanted;
      this.targetSquared += wanted * wanted;
    }
    this.voxels += target.length;
    this.patches += 1;
  }

  score(modality: Monitors['restoration'][number]['modality']): Monitors['restoration'] {
    if (this.patches === 0) return [];
    const mean = this.target / this.voxels;
    const constantError = Math.max(0, this.targetSquared / this.voxels - mean * mean);
    const restorationError = this.squaredError / this.voxels;
    const skill = constantError > 0 ? 1 - restorationError / constantError : 0;
    return [{ modality, patches: this.patches, restorationError, constantError, skill }];
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
