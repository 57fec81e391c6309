import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { objectiveSchema, patchPlanSchema } from '@consilium/shared/wire';
import { makePrepared } from '../../../test/fixtures/make-prepared.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import type { PreparedVolume } from '../preprocessing/patch-cache/prepared-volume.js';
import { openPretrainFeed, openProbe, type PretrainFeedOptions } from './batch-feed.js';
import { PatchStream } from './patch-stream.js';

let folder: string;
let VOLUMES: readonly PreparedVolume[];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'feed-'));
  VOLUMES = await Promise.all(['a', 'b', 'c'].map(volume));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function volume(name: string): Promise<PreparedVolume> {
  const random = new Random(name);
  return makePrepared(folder, { name, sizeVoxels: [24, 20, 12], value: () => random.uniform24() });
}

const options = (changes: Partial<PretrainFeedOptions> = {}): PretrainFeedOptions => ({
  volumes: VOLUMES,
  patch: patchPlanSchema.parse({ sizeVoxels: [16, 16, 8] }),
  objective: objectiveSchema.parse({ kind: 'models-genesis' }),
  streamName: '7/round-1',
  batchSize: 2,
  threads: 0,
  ...changes,
});

async function digestOf(steps: readonly number[], changes: Partial<PretrainFeedOptions> = {}): Promise<string> {
  const feed = openPretrainFeed(options(changes));
  const hash = createHash('sha256');
  for (const step of steps) {
    const batch = await feed.batch(step);
    hash.update(new Uint8Array(batch.input.buffer)).update(new Uint8Array(batch.target.buffer));
  }
  await feed.close();
  return hash.digest('hex');
}

describe('openPretrainFeed', () => {
  it('fills batches of the asked shape with distorted input and clean target', async () => {
    const batch = await openPretrainFeed(options({ batchSize: 3 })).batch(0);
    expect(batch).toMatchObject({ patches: 3, sizeVoxels: [16, 16, 8] });
    expect([batch.input.length, batch.target.length]).toEqual([3 * 2048, 3 * 2048]);
    expect(batch.input).not.toEqual(batch.target);
  });

  it('depends on stream and step alone: order of volumes, place to start, batch size', async () => {
    const usual = await digestOf([3, 4]);
    expect(await digestOf([3, 4], { volumes: [...VOLUMES].reverse(), firstStep: 3 })).toBe(usual);
    expect(await digestOf([3, 4], { streamName: '8/round-1' })).not.toBe(usual);
    const one = await openPretrainFeed(options({ batchSize: 1 })).batch(7);
    const two = await openPretrainFeed(options()).batch(3);
    expect(one.input).toEqual(two.input.subarray(2048));
  });

  it('visits every volume once in each epoch', async () => {
    const flat = [0, 1, 2].map((index) =>
      makePrepared(folder, { name: `flat ${index}`, sizeVoxels: [24, 20, 12], value: () => 0.3 + index / 10 }),
    );
    const stream = new PatchStream(options({ volumes: await Promise.all(flat) }));
    for (let epoch = 0; epoch < 20; epoch++) {
      const visited = [0, 1, 2].map((offset) => Math.round(10 * (stream.pair(3 * epoch + offset).target[0] ?? 0)));
      expect(visited.sort()).toEqual([3, 4, 5]);
    }
    stream.close();
  });

  it('gives a volume the same pairs whichever others a site holds', () => {
    const inputs = (volumes: readonly PreparedVolume[]): string[] => {
      const stream = new PatchStream(options({ volumes }));
      return volumes.map((_, index) =>
        createHash('sha256')
          .update(new Uint8Array(stream.pair(index).input.buffer))
          .digest('hex'),
      );
    };
    const together = inputs(VOLUMES);
    const apart = [...inputs(VOLUMES.slice(0, 1)), ...inputs(VOLUMES.slice(1))];
    expect(apart.sort()).toEqual(together.sort());
  });

  it('refuses a collection without volumes', () => {
    expect(() => openPretrainFeed(options({ volumes: [] }))).toThrow(
      expect.objectContaining({ code: 'COLLECTION_EMPTY' }) as Error,
    );
  });

  it('rejects the batch when a pair cannot be made', async () => {
    const objective = { kind: 'models-genesis', transforms: { ...options().objective.transforms, shuffleBlocks: -1 } } as const;
    await expect(openPretrainFeed(options({ objective })).batch(0)).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
  });
});

describe('openProbe', () => {
  it('is frozen and cut into small batches', async () => {
    const probe = await openProbe({ ...options(), patches: 6, batchSize: 4 });
    expect(probe.map(({ patches }) => patches)).toEqual([4, 2]);
    expect(await openProbe({ ...options(), patches: 6, batchSize: 4 })).toEqual(probe);
    const whole = await openProbe({ ...options(), patches: 6, batchSize: 6 });
    expect(whole[0]?.input.subarray(4 * 2048)).toEqual(probe[1]?.input);
  });
});

describe('a curriculum', () => {
  const nothing = { nonlinearProbability: 0, shuffleProbability: 0, paintProbability: 0 };
  const objective = objectiveSchema.parse({ kind: 'models-genesis', curriculum: [{ until: 0.5, ...nothing }] });
  const clock = { pairsPerStep: 2, stepsBefore: 4, totalSteps: 20 };

  it('follows the step over all rounds, whichever step is asked for first', async () => {
    const unchanged: boolean[] = [];
    const feed = openPretrainFeed(options({ objective, clock }));
    for (let step = 0; step < 12; step++) {
      const { input, target } = await feed.batch(step);
      unchanged.push(input.every((value, voxel) => value === target[voxel]));
    }
    // Four steps were done before: the stage ends at the tenth.
    expect(unchanged).toEqual(Array.from({ length: 12 }, (_, step) => step < 6));
    const [whole, late] = [await digestOf([7], { objective, clock }), await digestOf([7], { objective, clock, firstStep: 7 })];
    expect(late).toBe(whole);
    expect(await digestOf([7])).toBe(whole); // after its last stage a plan is the plain one
  });

  it('is over for a probe', async () => {
    const [batch] = await openProbe({ ...options({ objective }), patches: 4 });
    const [plain] = await openProbe({ ...options(), patches: 4 });
    expect(batch?.input).toEqual(plain?.input);
  });
});

describe('the pairs of a probe', () => {
  it('are the pairs of the stream, and say of which modality they are and what was done to them', async () => {
    const mr = await makePrepared(folder, {
      name: 'mr',
      modality: 'MR',
      sizeVoxels: [24, 20, 12],
      value: (x, y, z) => (x + y + z) / 60,
    });
    const stream = new PatchStream(options({ volumes: [...VOLUMES, mr] }));
    const modalities = new Set<string>();
    for (let index = 0; index < 8; index++) {
      const [pair, probed] = [stream.pair(index), stream.probePair(index)];
      expect([probed.input, probed.target]).toEqual([pair.input, pair.target]);
      modalities.add(probed.modality);
      probed.treatments.forEach((treatment, voxel) => {
        if (treatment === 0 && pair.input[voxel] !== pair.target[voxel])
          throw new Error(`voxel ${voxel} of pair ${index} was touched`);
      });
    }
    expect([...modalities].sort()).toEqual(['CT', 'MR']);
    stream.close();
  });
});

describe('batch threads of the built program', () => {
  const built = join(PROJECT_ROOT, 'site-agent/dist/training/batch-feed.js');
  const builtFile = (name: string): string => new URL(name, `file://${built}`).href;

  /** Runs a script against the built feed; it is given `openPretrainFeed` and `options`. */
  function runBuilt(body: string): string {
    const script = `
      import { createHash } from 'node:crypto';
      import { openPretrainFeed } from ${JSON.stringify(builtFile('batch-feed.js'))};
      const { volumes, patch, objective, streamName, batchSize } = ${JSON.stringify(options())};
      const options = { volumes, patch, objective, streamName, batchSize };
      ${body}`;
    return execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 60_000 }).trim();
  }

  beforeAll(() => {
    if (!existsSync(built)) throw new Error('the project is not built: run "npm run build"');
  });

  it('gives the same bytes for any number of threads', () => {
    const lines = runBuilt(`
      for (const threads of [0, 1, 2, 5]) {
        const feed = openPretrainFeed({ ...options, threads });
        const hash = createHash('sha256');
        for (const step of [0, 1, 2, 9, 10, 4]) { const b = await feed.batch(step); hash.update(b.input).update(b.target); }
        await feed.close();
        console.log(hash.digest('hex'));
      }`).split('\n');
    expect(lines).toHaveLength(4);
    expect(new Set(lines).size).toBe(1);
  });

  it('gives the same bytes along a curriculum', () => {
    const lines = runBuilt(`
      const curriculum = [{ until: 0.5, nonlinearProbability: 0, shuffleProbability: 0, paintProbability: 0 }];
      const clock = { pairsPerStep: 2, stepsBefore: 0, totalSteps: 8 };
      for (const threads of [0, 2]) {
        const feed = openPretrainFeed({ ...options, objective: { ...objective, curriculum }, clock, threads });
        const easy = [];
        const hash = createHash('sha256');
        for (let step = 0; step < 8; step++) {
          const { input, target } = await feed.batch(step);
          easy.push(input.every((value, voxel) => value === target[voxel]) ? 'e' : 'h');
          hash.update(input).update(target);
        }
        await feed.close();
        console.log(easy.join('') + hash.digest('hex'));
      }`).split('\n');
    expect(lines[0]).toMatch(/^eeeehhhh/);
    expect(lines[1]).toBe(lines[0]);
  });

  it('gives any number of threads the same share of each batch, from any step on', () => {
    const lines = runBuilt(`
      const share = { first: 1, count: 2 };
      for (const [threads, firstStep] of [[0, 0], [1, 0], [5, 7]]) {
        const feed = openPretrainFeed({ ...options, batchSize: 3, share, threads, firstStep });
        const hash = createHash('sha256');
        for (let step = firstStep; step < 14; step++) {
          const { patches, input, target } = await feed.batch(step);
          if (step >= 7) hash.update(String(patches)).update(input).update(target);
        }
        await feed.close();
        console.log(hash.digest('hex'));
      }`).split('\n');
    expect(lines).toHaveLength(3);
    expect(new Set(lines).size).toBe(1);
  });

  it('keeps a batch unchanged until the next is asked for, in memory that does not grow', () => {
    const lines = runBuilt(`
      const feed = openPretrainFeed({ ...options, threads: 2 });
      const digest = ({ input, target }) => createHash('sha256').update(input).update(target).digest('hex');
      const memories = new Set();
      for (let step = 0; step < 20; step++) {
        const batch = await feed.batch(step);
        memories.add(batch.input.buffer);
        const before = digest(batch);
        await new Promise((resolve) => setTimeout(resolve, 10)); // the threads have time to do harm
        if (digest(batch) !== before) console.log('changed');
      }
      console.log(memories.size);
      await feed.close();`).split('\n');
    expect(lines).toEqual(['4']);
  });

  it('takes more threads when steps wait, up to what it may, and makes the same batches', () => {
    const lines = runBuilt(`
      for (const mostThreads of [1, 2]) {
        const feed = openPretrainFeed({ ...options, threads: 1, mostThreads });
        const hash = createHash('sha256');
        for (let step = 0; step < 100; step++) hash.update((await feed.batch(step)).input); // no step takes any time
        console.log(feed.threads + ' ' + hash.digest('hex'));
        await feed.close();
      }`).split('\n');
    const [alone = '', together = ''] = lines;
    expect([alone.slice(0, 1), together.slice(0, 1)]).toEqual(['1', '2']);
    expect(together.slice(1)).toBe(alone.slice(1));
  });

  it('fails the step when a thread dies', () => {
    const output = runBuilt(`
      import { BatchRing } from ${JSON.stringify(builtFile('batch-ring.js'))};
      import { BatchThreads } from ${JSON.stringify(builtFile('batch-threads.js'))};
      const share = { first: 0, count: 2 };
      const ring = BatchRing.create({ sizeVoxels: patch.sizeVoxels, batchSize: 2, share, firstStep: 0, slots: 4 });
      const entry = new URL(${JSON.stringify(builtFile('batch-thread.js'))});
      const work = { ...options, volumes: [] }; // refused by each thread as it starts
      const threads = new BatchThreads({ entry, work }, ring, 2);
      console.log(await threads.complete(0).then(() => 'made', (error) => error.code + ': ' + error.message));
      await threads.close();`);
    expect(output).toBe('OPERATION_FAILED: a batch thread failed: there is no volume to draw patches from');
  });

  it('fails the steps that need a volume that is gone, and no other', () => {
    const lines = runBuilt(`
      const partly = volumes.map((volume, i) => (i === 1 ? { ...volume, file: volume.file + '.gone' } : volume));
      const feed = openPretrainFeed({ ...options, volumes: partly, batchSize: 1, threads: 2 });
      for (let step = 0; step < 6; step++) {
        console.log(await feed.batch(step).then(() => 'made', (error) => [error.code, error.retryable].join(' ')));
      }
      await feed.close();`).split('\n');
    for (const epoch of [lines.slice(0, 3), lines.slice(3)])
      expect(epoch.sort()).toEqual(['STORAGE_FAILED true', 'made', 'made']);
  });

  it('reports an error in a thread, and closing ends threads and waiting batches at once', () => {
    const output = runBuilt(`
      const broken = { kind: 'models-genesis', transforms: { ...objective.transforms, shuffleBlocks: -1 } };
      const failing = openPretrainFeed({ ...options, objective: broken, threads: 1 });
      console.log(await failing.batch(0).catch((error) => error.code));
      await failing.close();
      const feed = openPretrainFeed({ ...options, threads: 2 });
      const waiting = feed.batch(0).catch((error) => error.message);
      await feed.close();
      console.log(await waiting);`);
    expect(output).toBe('ARGUMENT_INVALID\nthe batch feed is closed');
  });
});
