import { FederationError, Random } from '@consilium/shared/kernel';
import type { ObjectivePlan, PatchPlan } from '@consilium/shared/wire';
import { transformsOf } from '../objectives/curriculum.js';
import { type ExplainedPair, makeExplainedPair, makeGenesisPair, type TrainingPair } from '../objectives/models-genesis.js';
import { drawPatch } from '../preprocessing/draw-patch.js';
import { resizeCrop, scaleOfVisit, scalesOf } from '../preprocessing/multi-scale.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { ReaderPool } from '../preprocessing/patch-cache/reader-pool.js';
import type { Modality } from '../volumes/volume.js';

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
 * An endless, seekable series of training pairs: pair k depends on the stream's name and k alone. Each epoch visits every
 * volume once, in an order shuffled per epoch. The pair of a volume's visit is named by stream, volume digest and visit, so
 * a volume gives the same pairs whichever other volumes a site holds; with a curriculum, how hard they are follows the step. COLLECTION_EMPTY without volumes. It reads patches from
 * the volumes' files and keeps some of them open: close it.
 */
export class PatchStream {
  private readonly volumes: readonly PreparedVolume[];
  private readonly readers = new ReaderPool();
  private order: { epoch: number; volumes: readonly PreparedVolume[] } | undefined;

  constructor(private readonly options: PatchStreamOptions) {
    this.volumes = [...options.volumes].sort((a, b) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0));
    if (this.volumes.length === 0) {
      throw new FederationError('COLLECTION_EMPTY', 'there is no volume to draw patches from', {
        remedy: 'Run "site-agent index FOLDER" with a folder of scans.',
      });
    }
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

  close(): void {
    this.readers.close();
  }

  private make(index: number, input: Float32Array): TrainingPair {
    const { clean, random, modality, progress } = this.source(index);
    const { patch, objective } = this.options;
    return makeGenesisPair(clean, patch.sizeVoxels, transformsOf(objective, modality, progress), random, input);
  }

  private source(index: number): PairSource {
    const visit = Math.floor(index / this.volumes.length);
    const volume = this.orderOf(visit)[index % this.volumes.length] as PreparedVolume;
    const random = new Random(`${this.options.streamName}/${volume.digest}/${visit}`);
    return { clean: this.draw(volume, visit, random), random, modality: volume.modality, progress: this.progressOf(index) };
  }

  private progressOf(index: number): number | undefined {
    const { clock } = this.options;
    return clock && (clock.stepsBefore + Math.floor(index / clock.pairsPerStep)) / clock.totalSteps;
  }

  private draw(volume: PreparedVolume, visit: number, random: Random): Float32Array {
    const { sizeVoxels, minimumForeground, scales } = this.options.patch;
    const reader = this.readers.reader(volume);
    if (scales === undefined) return drawPatch(volume, reader, sizeVoxels, minimumForeground, random);
    const scale = scaleOfVisit(scalesOf(volume, scales), visit, `${this.options.streamName}/${volume.digest}`);
    const crop = drawPatch(volume, reader, scale.sizeVoxels, minimumForeground, random);
    return resizeCrop(crop, scale.sizeVoxels, sizeVoxels);
  }

  private orderOf(epoch: number): readonly PreparedVolume[] {
    if (this.order?.epoch !== epoch) {
      this.order = { epoch, volumes: new Random(`${this.options.streamName}/order/${epoch}`).shuffle([...this.volumes]) };
    }
    return this.order.volumes;
  }
}
