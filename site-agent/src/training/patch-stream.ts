import { FederationError, Random } from '@consilium/shared/kernel';
import type { ObjectivePlan, PatchPlan } from '@consilium/shared/wire';
import { transformsOf } from '../objectives/curriculum.js';
import { type ExplainedPair, makeExplainedPair, makeGenesisPair, type TrainingPair } from '../objectives/models-genesis.js';
import { drawPatch } from '../preprocessing/draw-patch.js';
import { drawSparsePatch } from '../preprocessing/draw-sparse-patch.js';
import { resizeCrop } from '../preprocessing/multi-scale.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import type { Modality, Triple } from '../volumes/volume.js';
import { BalancedOrder } from './balanced-order.js';
import { MODALITY_CLASSES, type PatchLabels } from './patch-batch.js';
import { type Visit, type VisitOrder, VolumeOrder } from './visit-order.js';

/** Where the pairs of a stream stand among all steps, for objectives with a curriculum. */
export interface StreamClock {
  readonly pairsPerStep: number;
  /** Steps done before the stream's first pair. */
  readonly stepsBefore: number;
  readonly totalSteps: number;
}

/** Everything the patches of a stream depend on; plain data, so that it can be handed to a thread. */
export interface PatchStreamOptions {
  /** In any order: the stream sorts them by digest. */
  readonly volumes: readonly PreparedVolume[];
  readonly patch: PatchPlan;
  readonly objective: ObjectivePlan;
  readonly streamName: string;
  /** Left out: every pair is made as at the end of the curriculum. */
  readonly clock?: StreamClock | undefined;
}

/** A pair of a probe, with what may be told of it apart from others. */
export interface ProbePair extends ExplainedPair {
  readonly modality: Modality;
}

/** What a pair is made of. */
interface PairSource {
  readonly clean: Float32Array;
  readonly random: Random;
  readonly modality: Modality;
  readonly progress: number | undefined;
}

/**
 * An endless, seekable series of training pairs: pair k depends on the stream's name, its volumes and k alone. The order of
 * visits is that of {@link VolumeOrder}, or {@link BalancedOrder} where the objective wants balanced batches; with a curriculum, how
 * hard pairs are follows the step. COLLECTION_EMPTY without volumes. It reads patches from the volumes' files and keeps some of them
 * open: close it.
 */
export class PatchStream {
  private readonly order: VisitOrder;
  private readonly readers = new ReaderPool();

  constructor(private readonly options: PatchStreamOptions) {
    const volumes = [...options.volumes].sort((a, b) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0));
    if (volumes.length === 0) {
      throw new FederationError('COLLECTION_EMPTY', 'there is no volume to draw patches from', {
        remedy: 'Run "site-agent index FOLDER" with a folder of scans.',
      });
    }
    const { patch, streamName, objective } = options;
    const balanced = objective.kind === 'universal-model' && objective.balanced;
    const orderOptions = { volumes, patch, streamName };
    this.order = balanced ? new BalancedOrder(orderOptions) : new VolumeOrder(orderOptions);
  }

  /** STORAGE_FAILED (worth trying again) when a volume's file is gone or damaged. */
  pair(index: number): TrainingPair {
    const { sizeVoxels } = this.options.patch;
    const voxels = sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2];
    const pair = { input: new Float32Array(voxels), target: new Float32Array(voxels) };
    this.writePair(index, pair);
    return pair;
  }

  /** The same, into memory of the caller's, which may be shared with other threads. */
  writePair(index: number, into: TrainingPair): void {
    const { target } = this.make(index, into.input);
    into.target.set(target);
  }

  /** As {@link pair}, to the same bits, with what was done to its voxels. */
  probePair(index: number): ProbePair {
    const { clean, random, modality, progress } = this.source(index);
    const { patch, objective } = this.options;
    const transforms = transformsOf(objective, modality, progress);
    return { ...makeExplainedPair(clean, patch.sizeVoxels, transforms, random), modality };
  }

  /** What heads are to tell of so many pairs; no voxel is read for it. */
  labels(first: number, count: number): PatchLabels {
    const visits = Array.from({ length: count }, (_, i) => this.order.at(first + i));
    return {
      modality: visits.map(({ volume }) => MODALITY_CLASSES.indexOf(volume.modality)),
      scale: visits.map(({ scale }) => scale?.label ?? 0),
    };
  }

  close(): void {
    this.readers.close();
  }

  private make(index: number, input: Float32Array): TrainingPair {
    const { clean, random, modality, progress } = this.source(index);
    const { patch, objective } = this.options;
    return makeGenesisPair(clean, patch.sizeVoxels, transformsOf(objective, modality, progress), random, input);
  }

  private source(index: number): PairSource {
    const visit = this.order.at(index);
    const random = new Random(visit.name);
    return { clean: this.draw(visit, random), random, modality: visit.volume.modality, progress: this.progressOf(index) };
  }

  private progressOf(index: number): number | undefined {
    const { clock } = this.options;
    return clock && (clock.stepsBefore + Math.floor(index / clock.pairsPerStep)) / clock.totalSteps;
  }

  private draw({ volume, scale }: Visit, random: Random): Float32Array {
    const { sizeVoxels, minimumForeground, sparse } = this.options.patch;
    const reader = this.readers.reader(volume);
    const cut = (size: Triple): Float32Array =>
      sparse === undefined
        ? drawPatch(volume, reader, size, minimumForeground, random)
        : drawSparsePatch(volume, reader, size, { sparse, minimumForeground }, random);
    return scale === undefined ? cut(sizeVoxels) : resizeCrop(cut(scale.sizeVoxels), scale.sizeVoxels, sizeVoxels);
  }
}
