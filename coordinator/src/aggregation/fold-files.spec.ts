import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { digestOfBytes, Random } from '@consilium/shared/kernel';
import { elementCount, encodeHeader, type Manifest, type TensorDtype, type TensorEntry } from '@consilium/shared/weights';
import type { RecipePlan } from '@consilium/shared/wire';
import { foldNumbers } from '../../../test/fixtures/fold-numbers.js';
import { type MadeTensor, writeMadeFile } from '../../../test/fixtures/made-weight-file.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { type FoldJob, foldFiles, type FoldOutcome, type UpdateFile } from './fold-files.js';

const run = promisify(execFile);

/** Sizes around the edges of lanes, blocks, ranges and pieces. */
const SHAPES: Record<string, number[]> = {
  stem: [16, 3, 3, 3],
  scalar: [],
  bias: [7],
  wide: [40, 2050],
  statistic: [9],
  blocks: [4, 1024],
  head: [3, 5, 1],
};
const manifest: Manifest = {
  tensors: Object.entries(SHAPES).map(([name, shape]): TensorEntry => {
    return { name, shape, dtype: 'F32', scope: name === 'statistic' ? 'site-local' : 'federated' };
  }),
};
const DTYPES: readonly TensorDtype[] = ['F32', 'F16', 'BF16', 'I8'];

const FEDADAM: RecipePlan = { name: 'fedadam', serverLearningRate: 0.05, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
const RECIPES: RecipePlan[] = [
  { name: 'fedavg' },
  { name: 'fedavgm', serverLearningRate: 0.7, momentum: 0.9 },
  FEDADAM,
  { name: 'scaffold', serverLearningRate: 0.5 },
  { name: 'median' },
  { name: 'trimmed-mean', trim: 0.2 },
  { name: 'multi-krum', byzantine: 1, kept: 3 },
  { name: 'fedbuff', serverLearningRate: 1, stalenessExponent: 0.5, maximumStaleness: 3 },
];

interface MadeUpdate extends UpdateFile {
  readonly read: ReadonlyMap<string, Float32Array>;
}

let folder: string;
let base: ReadonlyMap<string, Float32Array>;
const updates: MadeUpdate[] = [];

/** Seeded tensors; every one in a format of its own when the formats are mixed. */
function makeTensors(seed: string, names: readonly string[], dtypeOf: (index: number) => TensorDtype): MadeTensor[] {
  return names.map((name, index) => {
    const random = new Random(`${seed}/${name}`);
    const shape = SHAPES[name.replace('control/', '')] ?? [];
    const values = Float32Array.from({ length: elementCount(shape) }, () => random.between(-1, 1) * 10 ** random.integer(-3, 2));
    return { name, shape, values, dtype: dtypeOf(index) };
  });
}

function jobOf(overrides: Partial<FoldJob> = {}): FoldJob {
  return {
    manifest,
    basePath: join(folder, 'base'),
    statePath: null,
    updates: updates.map(({ siteName, patches, staleness, path }) => ({ siteName, patches, staleness, path })),
    recipe: { name: 'fedavg' },
    metadata: { made: 'here' },
    sitesOfCampaign: 9,
    digest: 'blake3',
    outputPath: join(folder, 'version'),
    stateOutputPath: join(folder, 'state'),
    threads: 0,
    ...overrides,
  };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fold-files-'));
  const names = Object.keys(SHAPES);
  base = await writeMadeFile(
    join(folder, 'base'),
    makeTensors('base', names, () => 'F32'),
  );
  const federated = names.filter((name) => name !== 'statistic');
  const written = [...federated, ...federated.map((name) => `control/${name}`)];
  for (let site = 0; site < 6; site++) {
    const path = join(folder, `update-${site}`);
    // The order of tensors in a file is the site's own affair.
    const tensors = makeTensors(`site-${site}`, written, (index) => DTYPES[(index + site) % DTYPES.length] as TensorDtype);
    const read = await writeMadeFile(path, site % 2 === 0 ? tensors : tensors.reverse());
    updates.push({ siteName: `hospital-${'fbdaec'[site]}`, patches: 10 + 31 * site, staleness: site % 3, path, read });
  }
});

afterAll(() => rm(folder, { recursive: true }));

describe('foldFiles', () => {
  it('equals an independent 64-bit reference in every bit, with formats mixed within the round', async () => {
    const sites = [...updates].sort((a, b) => (a.siteName < b.siteName ? -1 : 1));
    const total = sites.reduce((sum, { patches }) => sum + patches, 0);
    const parts = manifest.tensors.map(({ name, scope }) => {
      const values = base.get(name) ?? new Float32Array();
      if (scope === 'site-local') return values;
      return values.map((value, place) => {
        const sum = sites.reduce((so, { patches, read }) => so + patches * (read.get(name)?.[place] ?? NaN), 0);
        return value + sum / total;
      });
    });
    const head = encodeHeader(manifest.tensors, { made: 'here' }).bytes;
    const expected = Buffer.concat([head, ...parts.map(({ buffer }) => new Uint8Array(buffer))]);
    const outcome = await foldFiles(jobOf());
    expect(Buffer.compare(await readFile(join(folder, 'version')), expected)).toBe(0);
    expect(outcome.digest).toBe(digestOfBytes(expected, 'blake3'));
    expect(outcome.bytes).toBe(expected.byteLength);
    expect((await foldFiles(jobOf({ digest: 'sha256' }))).digest).toBe(digestOfBytes(expected));
  });

  it.each(RECIPES)('$name gives the same bytes for every order of arrival and every range size', async (recipe) => {
    const random = new Random(`permutations/${recipe.name}`);
    const seen = new Set<string>();
    for (const rangeElements of [1, 1024, 3000, 1 << 20]) {
      const shuffled = random.shuffle([...jobOf().updates]);
      const { digest, state } = await foldFiles(jobOf({ recipe, updates: shuffled, rangeElements }));
      seen.add(`${digest} ${state?.digest}`);
    }
    expect(seen.size).toBe(1);
  });

  it('gives the same bytes in this thread, in one thread and in two, for every recipe', async () => {
    const expected: FoldOutcome[] = [];
    for (const recipe of RECIPES) expected.push(await foldFiles(jobOf({ recipe })));
    const jobs = [1, 2].flatMap((threads) => RECIPES.map((recipe) => jobOf({ recipe, threads })));
    const outcomes = await foldInThreads(jobs);
    expect(outcomes).toMatchObject([...expected, ...expected]);
  });

  it('takes a second round up where the first left it', async () => {
    const first = await foldFiles(jobOf({ recipe: FEDADAM }));
    const carried = { recipe: FEDADAM, statePath: join(folder, 'state'), stateOutputPath: join(folder, 'state-2') };
    const second = await foldFiles(jobOf(carried));
    expect(second.digest).not.toBe(first.digest);
    expect(second.state?.digest).not.toBe(first.state?.digest);
    expect(await foldFiles(jobOf({ ...carried, rangeElements: 1024 }))).toEqual(second);
  });

  it('leaves site-local tensors as they are in the base', async () => {
    const updates = [{ siteName: 'x', deltas: { a: [4, 4, 4] } }];
    const { next } = await foldNumbers({ base: { a: [1, 2, 3], b: [5] }, siteLocal: ['b'], updates, recipe: { name: 'fedavg' } });
    expect(next).toEqual({ a: [5, 6, 7], b: [5] });
  });

  it('refuses a result outside the range of 32 bits and leaves no file behind', async () => {
    const updates = [{ siteName: 'x', deltas: { a: [3e38, 0] } }];
    const fold = foldNumbers({ base: { a: [3e38, 0] }, updates, recipe: { name: 'fedavg' } });
    await expect(fold).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' });
  });

  it('stops when told to, and leaves no file behind', async () => {
    const before = await readdir(folder);
    const stopped = new AbortController();
    const paths = { outputPath: join(folder, 'stopped'), stateOutputPath: join(folder, 'stopped-state') };
    const fold = foldFiles(jobOf({ ...paths, recipe: FEDADAM, signal: stopped.signal }));
    setTimeout(() => stopped.abort(), 0);
    await expect(fold).rejects.toMatchObject({ name: 'AbortError' });
    expect(await readdir(folder)).toEqual(before);
  });

  it('says what is wrong with files that are not what the job says', async () => {
    const wrong = (path: string): readonly UpdateFile[] => [{ siteName: 'x', patches: 1, staleness: 0, path }];
    await writeMadeFile(join(folder, 'short'), [{ name: 'stem', shape: [1], values: new Float32Array(1), dtype: 'F32' }]);
    await expect(foldFiles(jobOf({ updates: wrong(join(folder, 'short')) }))).rejects.toMatchObject({
      code: 'MANIFEST_MISMATCH',
    });
    await writeMadeFile(join(folder, 'other'), [{ name: 'else', shape: [1], values: new Float32Array(1), dtype: 'F32' }]);
    await expect(foldFiles(jobOf({ updates: wrong(join(folder, 'other')) }))).rejects.toMatchObject({
      code: 'WEIGHTS_MALFORMED',
    });
    await expect(foldFiles(jobOf({ outputPath: join(folder, 'no/where') }))).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  });

  it('takes little memory for many sites and models larger than what it may take', async () => {
    // 30 updates of 61 MiB each are averaged, 12 of 8 MiB each are sorted: in memory 1.8 GiB and 96 MiB.
    const [large, small] = [await makeConstantModel('large', 1 << 24), await makeConstantModel('small', 1 << 21)];
    const outcomes = await foldInThreads([
      jobOf({ ...large, updates: sameUpdates(large.basePath, 30), threads: 2 }),
      jobOf({ ...small, updates: sameUpdates(small.basePath, 12), threads: 2, recipe: { name: 'median' } }),
    ]);
    expect(outcomes[0]?.addedMiB).toBeLessThan(48);
    expect(outcomes[1]?.addedMiB).toBeLessThan(16);
  }, 60_000);
});

async function foldInThreads(jobs: readonly FoldJob[]): Promise<(FoldOutcome & { addedMiB: number })[]> {
  const script = join(PROJECT_ROOT, 'test/fixtures/fold-in-threads.mjs');
  const { stdout } = await run(process.execPath, [script, JSON.stringify(jobs)]);
  return JSON.parse(stdout) as (FoldOutcome & { addedMiB: number })[];
}

/** A model of one tensor with the same number everywhere. */
async function makeConstantModel(name: string, elements: number): Promise<Pick<FoldJob, 'manifest' | 'basePath'>> {
  const tensor = { name, shape: [elements], dtype: 'F32' as const };
  const basePath = join(folder, name);
  await writeMadeFile(basePath, [{ ...tensor, values: new Float32Array(elements).fill(0.5) }]);
  return { manifest: { tensors: [{ ...tensor, scope: 'federated' }] }, basePath };
}

function sameUpdates(path: string, count: number): UpdateFile[] {
  return Array.from({ length: count }, (_, site) => ({ siteName: `site-${site}`, patches: 1, staleness: 0, path }));
}
