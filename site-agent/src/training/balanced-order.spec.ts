import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { objectiveSchema, patchPlanSchema } from '@consilium/shared/wire';
import { makePrepared } from '../../../test/fixtures/make-prepared.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { BalancedOrder } from './balanced-order.js';
import { openPretrainFeed, openProbe } from './batch-feed.js';
import { PatchStream } from './patch-stream.js';

const folder = mkdtempSync(join(tmpdir(), 'consilium-balanced-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const patch = patchPlanSchema.parse({
  sizeVoxels: [8, 8, 8],
  scales: {
    sizes: [
      [16, 16, 16],
      [8, 8, 8],
      [4, 4, 4],
    ],
  },
});
const objective = objectiveSchema.parse({ kind: 'universal-model' });

function volume(name: string, modality: 'CT' | 'MR', side = 20): Promise<PreparedVolume> {
  return makePrepared(folder, {
    name,
    modality,
    sizeVoxels: [side, side, side],
    value: (x, y, z) => ((x * 7 + y * 3 + z) % 11) / 11,
  });
}

const many = Promise.all([
  volume('ct-1', 'CT'),
  volume('ct-2', 'CT'),
  volume('ct-3', 'CT'),
  volume('ct-4', 'CT'),
  volume('mr-1', 'MR'),
]);

interface Labels {
  readonly modality: readonly number[];
  readonly scale: readonly number[];
}

/** How often each pair of modality and scale occurs. */
function cellsOf({ modality, scale }: Labels): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const [i, label] of modality.entries()) counts[`${label}/${scale[i]}`] = (counts[`${label}/${scale[i]}`] ?? 0) + 1;
  return counts;
}

const EVERY_CELL = ['0/0', '0/1', '0/2', '1/0', '1/1', '1/2'];

describe('balanced batches', () => {
  it('of 12 hold two patches of each modality at each scale, whatever the site holds more of', async () => {
    const stream = new PatchStream({ volumes: await many, patch, objective, streamName: 's' });
    for (const batch of [0, 1, 7, 1000]) {
      expect(cellsOf(stream.labels(12 * batch, 12))).toEqual(Object.fromEntries(EVERY_CELL.map((cell) => [cell, 2])));
    }
  });

  it.each([2, 3, 4, 6])('of %d are as even as that allows, shares of batches too', async (size) => {
    const stream = new PatchStream({ volumes: await many, patch, objective, streamName: 's' });
    for (let first = 0; first < 48; first += size) {
      const { modality, scale } = stream.labels(first, size);
      const spread = (labels: readonly number[], classes: number): number => {
        const counts = Array.from({ length: classes }, (_, label) => labels.filter((each) => each === label).length);
        return Math.max(...counts) - Math.min(...counts);
      };
      expect(spread(modality, 2)).toBeLessThanOrEqual(1);
      expect(spread(scale, 3)).toBeLessThanOrEqual(1);
    }
  });

  it('meet every modality at every scale where there are as many of one as of the other', async () => {
    const two = { ...patch, scales: { ...patch.scales, sizes: patch.scales?.sizes.slice(1) ?? [] } } as typeof patch;
    const stream = new PatchStream({ volumes: await many, patch: two, objective, streamName: 's' });
    expect(cellsOf(stream.labels(0, 16))).toEqual({ '0/0': 4, '0/1': 4, '1/0': 4, '1/1': 4 });
  });

  it('visit every volume of a modality equally often at each scale, with a name of its own each time', async () => {
    const order = new BalancedOrder({ volumes: await many, patch, streamName: 's' });
    const visits = Array.from({ length: 240 }, (_, index) => order.at(index));
    const perVolume = new Map<string, number>();
    for (const {
      volume: { digest },
      scale,
    } of visits) {
      const key = `${digest}/${scale?.label}`;
      perVolume.set(key, (perVolume.get(key) ?? 0) + 1);
    }
    expect([...perVolume.values()].sort((a, b) => a - b)).toEqual([...new Array<number>(12).fill(10), 40, 40, 40]);
    expect(new Set(visits.map(({ name }) => name)).size).toBe(240);
  });

  it('do with what a site has: one modality, or volumes too small for a scale', async () => {
    const [ct, , , , mr] = await many;
    const small = await volume('mr-small', 'MR', 9); // no room for 16, at least 12 of its 16
    const labels = (volumes: (PreparedVolume | undefined)[]): Labels =>
      new PatchStream({ volumes: volumes as PreparedVolume[], patch, objective, streamName: 's' }).labels(0, 24);
    expect(cellsOf(labels([mr]))).toEqual({ '1/0': 8, '1/1': 8, '1/2': 8 });
    const ragged = cellsOf(labels([ct, small]));
    expect(ragged).toEqual({ '0/0': 4, '0/1': 4, '0/2': 4, '1/1': 6, '1/2': 6 });
  });

  it('depend on name, volumes and index alone, and the labels are those of the pixels', async () => {
    const volumes = await many;
    const open = (streamName: string) => new PatchStream({ volumes: volumes.toReversed(), patch, objective, streamName });
    const [stream, again, other] = [open('s'), open('s'), open('t')];
    const pairs = [17, 3, 9].map((index) => stream.pair(index).target);
    expect([9, 17, 3].map((index) => again.pair(index).target)).toEqual([pairs[2], pairs[0], pairs[1]]);
    expect(other.pair(17).target).not.toEqual(pairs[0]);
    for (const each of [stream, again, other]) each.close();
  });

  it('come with their labels from a feed, its shares and the probe', async () => {
    const volumes = await many;
    const stream = new PatchStream({ volumes, patch, objective, streamName: 's' });
    const options = { volumes, patch, objective, streamName: 's', batchSize: 6 };
    const feed = openPretrainFeed({ ...options, share: { first: 2, count: 3 } });
    const batch = await feed.batch(4);
    expect(batch.labels).toEqual(stream.labels(4 * 6 + 2, 3));
    expect(batch.target.subarray(0, 512)).toEqual(stream.pair(4 * 6 + 2).target);
    await feed.close();
    const probe = await openProbe({ ...options, patches: 6, batchSize: 4 });
    expect(probe.map(({ labels }) => labels)).toEqual([stream.labels(0, 4), stream.labels(4, 2)]);
    stream.close();
  });
});
