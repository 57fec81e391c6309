/**
 * Batches that hold modalities and scales in equal parts (spec C5: 12 = 2 modalities × 3 scales × 2). Going through the order,
 * modalities alternate and scales take turns, so that any stretch of it is as even as its length allows, batches of any size
 * and shares of batches among them.
 */
import { required } from '@consilium/shared/kernel';
import { type Scale, scalesOf } from '../preprocessing/multi-scale.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { MODALITY_CLASSES } from './patch-batch.js';
import { type OrderOptions, ShuffledEpochs, type Visit, type VisitOrder } from './visit-order.js';

/** The volumes of one modality that have room for one scale. */
interface Cell {
  readonly volumes: ShuffledEpochs;
  readonly scaleOf: (volume: PreparedVolume) => Scale | undefined;
  /** Of the scale, for names. */
  readonly label: number;
}

/** One place of the period: its cell, and which of the cell's places in the period it is. */
interface Place {
  readonly cell: Cell;
  readonly turn: number;
}

/**
 * As even as a site's volumes allow: a modality that it lacks is left out; a modality none of whose volumes has room for a scale
 * shows its other scales instead. Within a modality and scale each volume is visited once per epoch; its visits are named by
 * stream, volume digest, scale and visit.
 */
export class BalancedOrder implements VisitOrder {
  private readonly period: readonly Place[];
  private readonly placesOf = new Map<Cell, number>();

  constructor(private readonly options: OrderOptions) {
    this.period = this.layOut(this.cells());
  }

  at(index: number): Visit {
    const { cell, turn } = required(this.period[index % this.period.length], 'a place of the period');
    const rounds = Math.floor(index / this.period.length);
    const { volume, epoch } = cell.volumes.at(rounds * required(this.placesOf.get(cell), 'the places of a cell') + turn);
    const name = `${this.options.streamName}/${volume.digest}/scale-${cell.label}/${epoch}`;
    return { volume, scale: cell.scaleOf(volume), name };
  }

  /** By modality, in the order of their classes, and within one by the label of the scale. */
  private cells(): Map<number, Cell>[] {
    return MODALITY_CLASSES.flatMap((modality) => {
      const volumes = this.options.volumes.filter((volume) => volume.modality === modality);
      return volumes.length === 0 ? [] : [this.cellsOf(modality, volumes)];
    });
  }

  private cellsOf(modality: string, volumes: readonly PreparedVolume[]): Map<number, Cell> {
    const { streamName, patch } = this.options;
    const { scales: plan } = patch;
    const cell = (label: number, held: readonly PreparedVolume[], scaleOf: Cell['scaleOf']): Cell => {
      return { volumes: new ShuffledEpochs(held, `${streamName}/order/${modality}/${label}`), scaleOf, label };
    };
    if (plan === undefined) return new Map([[0, cell(0, volumes, () => undefined)]]);
    const scaleAt = (volume: PreparedVolume, label: number): Scale | undefined =>
      scalesOf(volume, plan).find((scale) => scale.label === label);
    const labels = plan.sizes.map((_, label) => label);
    return new Map(
      labels.flatMap((label) => {
        const held = volumes.filter((volume) => scaleAt(volume, label) !== undefined);
        return held.length === 0 ? [] : [[label, cell(label, held, (volume) => scaleAt(volume, label))] as const];
      }),
    );
  }

  /** So many places that all cells come round evenly. */
  private layOut(modalities: readonly Map<number, Cell>[]): Place[] {
    const labels = [...new Set(modalities.flatMap((cells) => [...cells.keys()]))].sort((a, b) => a - b);
    const [m, s] = [modalities.length, labels.length];
    const length = m * modalities.reduce((multiple, cells) => leastCommonMultiple(multiple, cells.size), s);
    const shift = leastCommonMultiple(m, s);
    return Array.from({ length }, (_, k) => {
      const cells = required(modalities[k % m], 'a modality');
      // Without the shift, as many scales as modalities would always meet the same partners.
      const wanted = labels[(k + Math.floor((k % (m * s)) / shift)) % s] as number;
      const own = [...cells.keys()];
      const cell = required(cells.get(wanted) ?? cells.get(own[Math.floor(k / m) % own.length] as number), 'a cell');
      const turn = this.placesOf.get(cell) ?? 0;
      this.placesOf.set(cell, turn + 1);
      return { cell, turn };
    });
  }
}

function leastCommonMultiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
