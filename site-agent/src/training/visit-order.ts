/** Which volume, at which scale, the pairs of a stream are cut from: known without making a single voxel. */
import { Random } from '@consilium/shared/kernel';
import type { PatchPlan } from '@consilium/shared/wire';
import { type Scale, scaleOfVisit, scalesOf } from '../preprocessing/multi-scale.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';

/** Where a pair comes from. */
export interface Visit {
  readonly volume: PreparedVolume;
  /** Undefined where all crops have the patch's own size. */
  readonly scale: Scale | undefined;
  /** Names what is random about the pair. */
  readonly name: string;
}

/** An endless order of visits; the visit at an index depends on the stream's name, its volumes and the index alone. */
export interface VisitOrder {
  at(index: number): Visit;
}

/** What an order is made of; the volumes are sorted and at least one. */
export interface OrderOptions {
  readonly volumes: readonly PreparedVolume[];
  readonly patch: PatchPlan;
  readonly streamName: string;
}

/**
 * Each epoch visits every volume once, in an order shuffled per epoch, at one scale after the other. A volume's visits are named
 * by stream, volume digest and visit, so that it gives the same pairs whichever other volumes a site holds.
 */
export class VolumeOrder implements VisitOrder {
  private readonly shuffled: ShuffledEpochs;

  constructor(private readonly options: OrderOptions) {
    this.shuffled = new ShuffledEpochs(options.volumes, `${options.streamName}/order`);
  }

  at(index: number): Visit {
    const { volume, epoch } = this.shuffled.at(index);
    const { patch, streamName } = this.options;
    const name = `${streamName}/${volume.digest}`;
    const scale = patch.scales && scaleOfVisit(scalesOf(volume, patch.scales), epoch, name);
    return { volume, scale, name: `${name}/${epoch}` };
  }
}

/** A series of volumes: each once per epoch, in an order shuffled by epoch. */
export class ShuffledEpochs {
  private order: { epoch: number; volumes: readonly PreparedVolume[] } | undefined;

  constructor(
    private readonly volumes: readonly PreparedVolume[],
    private readonly name: string,
  ) {}

  at(index: number): { readonly volume: PreparedVolume; readonly epoch: number } {
    const epoch = Math.floor(index / this.volumes.length);
    if (this.order?.epoch !== epoch) {
      this.order = { epoch, volumes: new Random(`${this.name}/${epoch}`).shuffle([...this.volumes]) };
    }
    return { volume: this.order.volumes[index % this.volumes.length] as PreparedVolume, epoch };
  }
}
