import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { digestOfBytes, Random } from '@consilium/shared/kernel';
import { addGaussianNoise } from '@consilium/shared/safeguards';
import { elementCount, encodeHeader, type Manifest, type TensorEntry } from '@consilium/shared/weights';
import { foldNumbers } from '../../../test/fixtures/fold-numbers.js';
import { type MadeTensor, writeMadeFile } from '../../../test/fixtures/made-weight-file.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { type FoldJob, foldFiles, type FoldOutcome } from './fold-files.js';

const run = promisify(execFile);

/** Odd sizes, a tensor of several pieces, and one in the middle that is not federated. */
const SHAPES: Record<string, number[]> = { stem: [7], wide: [40, 4101], statistic: [9], scalar: [], head: [3, 5, 1] };
const manifest: Manifest = {
  tensors: Object.entries(SHAPES).map(([name, shape]): TensorEntry => {
    return { name, shape, dtype: 'F32', scope: name === 'statistic' ? 'site-local' : 'federated' };
  }),
};
const NOISE = { key: 'ab'.repeat(32), deviation: 0.75 };

let folder: string;
const sites = ['basel', 'aarau', 'chur'];
const made = new Map<string, MadeTensor[]>();

function makeTensors(seed: string): MadeTensor[] {
  return Object.entries(SHAPES).map(([name, shape]) => {
    const random = new Random(`${seed}/${name}`);
    const values = Float32Array.from({ length: elementCount(shape) }, () => random.between(-1, 1));
    return { name, shape, dtype: 'F32', values };
  });
}

const jobOf = (overrides: Partial<FoldJob> = {}): FoldJob => ({
  manifest,
  basePath: join(folder, 'base'),
  statePath: null,
  updates: sites.map((siteName, place) => ({ siteName, patches: 10 ** place, staleness: 0, path: join(folder, siteName) })),
  recipe: { name: 'fedavg' },
  noise: NOISE,
  metadata: {},
  sitesOfCampaign: 3,
  digest: 'sha256',
  outputPath: join(folder, 'version'),
  stateOutputPath: join(folder, 'state'),
  threads: 0,
  ...overrides,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fold-noise-'));
  for (const name of ['base', ...sites]) {
    made.set(name, makeTensors(name));
    const kept = (made.get(name) ?? []).filter((tensor) => name === 'base' || tensor.name !== 'statistic');
    await writeMadeFile(join(folder, name), kept);
  }
});
afterAll(() => rm(folder, { recursive: true }));

/** The next version by the definition: base + (sum of the updates in site order + deviation · noise) / number of sites. */
function expectedVersion(): Buffer {
  const valuesOf = (name: string, tensor: number): Float32Array => made.get(name)?.[tensor]?.values ?? new Float32Array();
  let place = 0;
  const parts = manifest.tensors.map(({ scope }, tensor) => {
    const base = valuesOf('base', tensor);
    if (scope !== 'federated') return base;
    const noise = new Float64Array(base.length);
    addGaussianNoise(noise, Buffer.from(NOISE.key, 'hex'), place, NOISE.deviation);
    place += base.length;
    return base.map((value, i) => {
      const sum = [...sites].sort().reduce((so, site) => so + (valuesOf(site, tensor)[i] ?? NaN), 0);
      return value + (sum + (noise[i] ?? NaN)) / sites.length;
    });
  });
  const head = encodeHeader(manifest.tensors, {}).bytes;
  return Buffer.concat([head, ...parts.map(({ buffer }) => new Uint8Array(buffer))]);
}

describe('noise on the sum of a round', () => {
  it('gives the bytes of its definition, each site counting the same', async () => {
    const { digest } = await foldFiles(jobOf());
    expect(Buffer.compare(await readFile(join(folder, 'version')), expectedVersion())).toBe(0);
    expect(digest).toBe(digestOfBytes(expectedVersion()));
  });

  it('gives the same bytes for every order of arrival, size of ranges and number of threads', async () => {
    const expected = digestOfBytes(expectedVersion());
    const random = new Random('orders');
    for (const rangeElements of [1, 1024, 3000, 1 << 20]) {
      const updates = random.shuffle([...jobOf().updates]);
      expect((await foldFiles(jobOf({ updates, rangeElements }))).digest).toBe(expected);
    }
    const script = join(PROJECT_ROOT, 'test/fixtures/fold-in-threads.mjs');
    const { stdout } = await run(process.execPath, [script, JSON.stringify([1, 2, 3].map((threads) => jobOf({ threads })))]);
    expect((JSON.parse(stdout) as FoldOutcome[]).map(({ digest }) => digest)).toEqual([expected, expected, expected]);
  });

  it('is another one for another key, and is what recipes with a state advance by', async () => {
    const plain = await foldFiles(jobOf());
    expect((await foldFiles(jobOf({ noise: { ...NOISE, key: 'cd'.repeat(32) } }))).digest).not.toBe(plain.digest);
    const updates = [{ siteName: 'x', deltas: { a: [0, 0, 0] } }];
    const recipe = { name: 'fedavgm', serverLearningRate: 1, momentum: 0.5 } as const;
    const { next, state } = await foldNumbers({ base: { a: [0, 0, 0] }, updates, recipe, job: { noise: NOISE } });
    const noise = new Float64Array(3);
    addGaussianNoise(noise, Buffer.from(NOISE.key, 'hex'), 0, NOISE.deviation);
    expect(next['a']).toEqual([...noise].map(Math.fround));
    expect(state?.['momentum/a']).toEqual(next['a']);
  });

  it('is refused where it would not cover what it is said to cover', async () => {
    await expect(foldFiles(jobOf({ recipe: { name: 'median' } }))).rejects.toThrow(/a recipe that averages/);
    const twice = [...jobOf().updates, ...jobOf().updates.slice(0, 1)];
    await expect(foldFiles(jobOf({ updates: twice }))).rejects.toThrow(/one update of each site/);
  });
});
