import { FederationError, Random } from '@consilium/shared/kernel';
import type { ObjectivePlan, PatchPlan } from '@consilium/shared/wire';
import { makeGenesisPair, type TrainingPair } from '../objectives/models-genesis.js';
import { drawPatch } from '../preprocessing/draw-patch.js';
import type { PreparedVolume } from '../preprocessing/prepared-volume.js';

/** Everything the patches of a stream depend on; plain data over shared memory, so that it can be handed to a thread. */
export interface PatchStreamOptions {
  /** In any order: the stream sorts them by digest. */
  readonly volumes: readonly PreparedVolume[];
  readonly patch: PatchPlan;
  readonly objective: ObjectivePlan;
  readonly streamName: string;
}

/** Makes single pairs of a stream, here or in threads. */
export interface PairMaker {
  pair(index: number): Promise<TrainingPair>;
  close(): Promise<void>;
}

/**
 * An endless, seekable series of training pairs: pair k depends on the stream's name and k alone. Each epoch visits every
 * volume once, in an order shuffled per epoch. The pair of a volume's visit is named by stream, volume digest and visit, so
 * a volume gives the same pairs whichever other volumes a site holds. COLLECTION_EMPTY without volumes.
 */
export class PatchStream {
  private readonly volumes: readonly PreparedVolume[];
  private order: { epoch: number; volumes: readonly PreparedVolume[] } | undefined;

  constructor(private readonly options: PatchStreamOptions) {
    this.volumes = [...options.volumes].sort((a, b) => (a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0));
    if (this.volumes.length === 0) {
      throw new FederationError('COLLECTION_EMPTY', 'there is no volume to draw patches from', {
        remedy: 'Run "site-agent index FOLDER" with a folder of NIfTI scans.',
      });
    }
  }

  pair(index: number): TrainingPair {
    const visit = Math.floor(index / this.volumes.length);
    const volume = this.orderOf(visit)[index % this.volumes.length] as PreparedVolume;
    const { patch, objective, streamName } = this.options;
    const random = new Random(`${streamName}/${volume.digest}/${visit}`);
    const clean = drawPatch(volume, patch.sizeVoxels, patch.minimumForeground, random);
    switch (objective.kind) {
      case 'models-genesis':
        return makeGenesisPair(clean, patch.sizeVoxels, objective.transforms, random);
    }
  }

  private orderOf(epoch: number): readonly PreparedVolume[] {
    if (this.order?.epoch !== epoch) {
      this.order = { epoch, volumes: new Random(`${this.options.streamName}/order/${epoch}`).shuffle([...this.volumes]) };
    }
    return this.order.volumes;
  }
}
