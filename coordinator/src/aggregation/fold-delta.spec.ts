import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { digestOfBytes, Random } from '@consilium/shared/kernel';
import {
  elementCount,
  encodeUpdate,
  type Manifest,
  readSafetensors,
  rebuildVersion,
  type TensorEntry,
  type WeightSet,
} from '@consilium/shared/weights';
import type { NumberFormat, RecipePlan } from '@consilium/shared/wire';
import { foldNumbers } from '../../../test/fixtures/fold-numbers.js';
import { writeMadeFile } from '../../../test/fixtures/made-weight-file.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { type FoldJob, foldFiles, type FoldOutcome, type UpdateFile } from './fold-files.js';

const run = promisify(execFile);

/** Channels shorter and longer than lanes, blocks, ranges and pieces; `long` has channels longer than a piece. */
const SHAPES: Record<string, number[]> = {
  stem: [16, 3, 3, 3],
  scalar: [],
  bias: [7],
  statistic: [9],
  wide: [40, 2050],
  deep: [5, 20_000],
  long: [2, 70_000],
  head: [3, 5, 1],
};
const manifest: Manifest = {
  tensors: Object.entries(SHAPES).map(([name, shape]): TensorEntry => {
    return { name, shape, dtype: 'F32', scope: name === 'statistic' ? 'site-local' : 'federated' };
  }),
};
const FORMATS: readonly NumberFormat[] = ['f16', 'bf16', 'int8'];
const FEDADAM: RecipePlan = { name: 'fedadam', serverLearningRate: 0.05, beta1: 0.9, beta2: 0.99, tau: 1e-3 };
const PARENT = digestOfBytes('parent');

let folder: string;
const updates: UpdateFile[] = [];

function madeTensors(seed: string, size: number) {
  return Object.entries(SHAPES).map(([name, shape]) => {
    const random = new Random(`${seed}/${name}`);
    const values = Float32Array.from({ length: elementCount(shape) }, () => size * random.between(-1, 1));
    return { name, shape, values, dtype: 'F32' as const };
  });
}

function jobOf(format: NumberFormat | undefined, overrides: Partial<FoldJob> = {}): FoldJob {
  return {
    manifest,
    basePath: join(folder, 'base'),
    statePath: join(folder, 'carried'),
    updates,
    recipe: { name: 'fedavg' },
    metadata: { made: 'here', version: '2' },
    sitesOfCampaign: 3,
    digest: 'blake3',
    outputPath: join(folder, 'version'),
    stateOutputPath: join(folder, 'state'),
    delta: format && deltaOf(format),
    threads: 0,
    ...overrides,
  };
}

async function valuesOf(name: string): Promise<ReadonlyMap<string, Float32Array>> {
  const { weights } = await readSafetensors(join(folder, name));
  return new Map(weights.map((tensor) => [tensor.name, tensor.values]));
}

/** By bytes: comparing hundred thousands of numbers one by one takes seconds. */
function expectSameBits(actual: Float32Array | undefined, expected: Float32Array): void {
  expect(actual !== undefined && Buffer.compare(bytesOf(actual), bytesOf(expected))).toBe(0);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fold-delta-'));
  await writeMadeFile(join(folder, 'base'), madeTensors('base', 1));
  const residuals = madeTensors('residual', 1e-5).filter(({ name }) => name !== 'statistic');
  await writeMadeFile(
    join(folder, 'carried'),
    residuals.map((tensor) => ({ ...tensor, name: `residual/${tensor.name}` })),
  );
  for (let site = 0; site < 3; site++) {
    const path = join(folder, `update-${site}`);
    await writeMadeFile(path, madeTensors(`site-${site}`, 1e-2));
    updates.push({ siteName: `hospital-${'cab'[site]}`, patches: 10 + 31 * site, staleness: 0, path });
  }
});

afterAll(() => rm(folder, { recursive: true }));

describe('a version defined by its delta', () => {
  it.each(FORMATS)(
    '%s: delta, version and residual are what the codec of the sites makes of the wanted version',
    async (format) => {
      await foldFiles(jobOf(undefined, { statePath: null }));
      const [base, wanted, carried] = [await valuesOf('base'), await valuesOf('version'), await valuesOf('carried')];
      const outcome = await foldFiles(jobOf(format));
      const [version, residual] = [await valuesOf('version'), await valuesOf('state')];
      const { header, metadata } = await readSafetensors(join(folder, 'delta'));
      expect(metadata).toMatchObject({ kind: 'delta', parent: PARENT });
      expect(outcome.delta?.digest).toBe(digestOfBytes(await readFile(join(folder, 'delta')), 'blake3'));
      const bytes = await readFile(join(folder, 'delta'));
      const stored = new Map(header.tensors.map(({ name, start, end }) => [name, bytes.subarray(start, end)]));
      for (const { name, shape, scope } of manifest.tensors) {
        const [from = new Float32Array(), to = new Float32Array()] = [base.get(name), wanted.get(name)];
        if (scope === 'site-local') {
          expect(stored.has(name)).toBe(false);
          expectSameBits(version.get(name), from);
          continue;
        }
        const values = from.map((value, i) => (to[i] ?? NaN) - value + (carried.get(`residual/${name}`)?.[i] ?? NaN));
        const whole: WeightSet = [{ name, shape, values }];
        const { tensors, decoded } = encodeUpdate(whole, format === 'int8' && name === 'long' ? 'bf16' : format);
        for (const tensor of tensors) expect(Buffer.compare(stored.get(tensor.name) as Buffer, tensor.bytes)).toBe(0);
        const read = decoded[0]?.values ?? new Float32Array();
        const sums = from.map((value, i) => value + (read[i] ?? NaN));
        expectSameBits(version.get(name), sums);
        const lost = values.map((value, i) => value - (read[i] ?? NaN));
        expectSameBits(residual.get(`residual/${name}`), lost);
      }
      const digestOfParent = { parentPath: join(folder, 'base'), deltaPath: join(folder, 'delta') };
      const path = join(folder, 'rebuilt');
      await rebuildVersion({ ...digestOfParent, digest: outcome.digest, path, signal: new AbortController().signal });
      expect(Buffer.compare(await readFile(path), await readFile(join(folder, 'version')))).toBe(0);
    },
  );

  it.each(FORMATS)('%s: one digest of all files, whatever the order of arrival, the ranges and the threads', async (format) => {
    const random = new Random(`permutations/${format}`);
    const seen = new Set<string>();
    const note = ({ digest, state, delta }: FoldOutcome): unknown => seen.add([digest, state?.digest, delta?.digest].join(' '));
    for (const rangeElements of [1, 3000, 1 << 20]) {
      note(await foldFiles(jobOf(format, { updates: random.shuffle([...updates]), rangeElements })));
    }
    (await foldInThreads([1, 2].map((threads) => jobOf(format, { threads })))).forEach(note);
    expect(seen.size).toBe(1);
  });

  it('is, of the same base, what it is by hand', async () => {
    const round = (base: number[], state: Record<string, number[]> | null) =>
      foldNumbers({
        base: { a: base },
        updates: [{ siteName: 'x', deltas: { a: [127, 0.375] } }],
        recipe: { name: 'fedavg' },
        state,
        job: { delta: { format: 'int8', errorFeedback: true, parent: PARENT, outputPath: join(folder, 'tiny') } },
      });
    // Scale 1: 0.375 becomes 0 and is still to come; in the second round 0.75 becomes 1, in the third 0.125 becomes 0.
    const first = await round([0, 0], null);
    expect([first.next, first.state]).toEqual([{ a: [127, 0] }, { 'residual/a': [0, 0.375] }]);
    const second = await round([127, 0], first.state);
    expect([second.next, second.state]).toEqual([{ a: [254, 1] }, { 'residual/a': [0, -0.25] }]);
    const third = await round([254, 1], second.state);
    expect([third.next, third.state]).toEqual([{ a: [381, 1] }, { 'residual/a': [0, 0.125] }]);
  });

  it('comes, over the rounds, to where the exact versions come; without error feedback it does not', async () => {
    const rounds = 30;
    const random = new Random('rounds');
    const deltas = Array.from({ length: 32 }, () => random.between(-1, 1) * 10 ** random.integer(-3, 0));
    const travel = async (errorFeedback: boolean): Promise<number> => {
      let [at, state]: [number[], Record<string, number[]> | null] = [deltas.map(() => 0), null];
      for (let round = 0; round < rounds; round++) {
        const delta = { format: 'int8' as const, errorFeedback, parent: PARENT, outputPath: join(folder, 'step') };
        const folded = await foldNumbers({
          base: { a: at },
          updates: [{ siteName: 'x', deltas: { a: deltas } }],
          recipe: { name: 'fedavg' },
          state,
          job: { delta },
        });
        [at, state] = [folded.next['a'] ?? [], folded.state];
      }
      return Math.max(...at.map((value, i) => Math.abs(value - rounds * (deltas[i] ?? NaN))));
    };
    const step = Math.max(...deltas.map(Math.abs)) / 127;
    expect(await travel(true)).toBeLessThan(step);
    expect(await travel(false)).toBeGreaterThan(5 * step);
  });

  it('keeps what a recipe carries beside what the format took', async () => {
    const first = await foldNumbers({
      base: { a: [1, 2] },
      updates: [{ siteName: 'x', deltas: { a: [1, 0.001] } }],
      recipe: FEDADAM,
      job: { delta: { format: 'int8', errorFeedback: true, parent: PARENT, outputPath: join(folder, 'adam') } },
    });
    const plain = await foldNumbers({
      base: { a: [1, 2] },
      updates: [{ siteName: 'x', deltas: { a: [1, 0.001] } }],
      recipe: FEDADAM,
    });
    expect(Object.keys(first.state ?? {})).toEqual([...Object.keys(plain.state ?? {}), 'residual/a']);
    expect(first.state).toMatchObject(plain.state ?? {});
  });

  it('has no state of its own without error feedback', async () => {
    const outcome = await foldFiles(jobOf('int8', { delta: { ...deltaOf('int8'), errorFeedback: false } }));
    expect([outcome.state, outcome.delta === null]).toEqual([null, false]);
  });

  it('gives way to a whole version where a weight moves further than the format holds; what earlier rounds lost comes then', async () => {
    const { next, state, outcome } = await foldNumbers({
      base: { a: [1, 1] },
      updates: [{ siteName: 'x', deltas: { a: [70_000, 1] } }],
      recipe: { name: 'fedavg' },
      state: { 'residual/a': [0, 0.25] },
      job: { delta: { format: 'f16', errorFeedback: true, parent: PARENT, outputPath: join(folder, 'far') } },
    });
    expect([next, state, outcome.delta]).toEqual([{ a: [70_001, 2.25] }, null, null]);
    await expect(readFile(join(folder, 'far'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('takes no more memory for models larger than what it may take', async () => {
    const [large] = [{ name: 'large', shape: [1 << 10, 1 << 14], dtype: 'F32' as const }];
    const basePath = join(folder, 'large');
    await writeMadeFile(basePath, [{ ...large, values: new Float32Array(1 << 24).fill(0.5) }]);
    const [outcome] = await foldInThreads([
      jobOf('int8', {
        manifest: { tensors: [{ ...large, scope: 'federated' }] },
        basePath,
        statePath: null,
        updates: [1, 2, 3].map((site) => ({ siteName: `site-${site}`, patches: 1, staleness: 0, path: basePath })),
        threads: 2,
      }),
    ]);
    expect(outcome?.addedMiB).toBeLessThan(48); // 64 MiB of base, version, residual and each update, 16 MiB of delta
  }, 60_000);
});

function deltaOf(format: NumberFormat): NonNullable<FoldJob['delta']> {
  return { format, errorFeedback: true, parent: PARENT, outputPath: join(folder, 'delta') };
}

async function foldInThreads(jobs: readonly FoldJob[]): Promise<(FoldOutcome & { addedMiB: number })[]> {
  const script = join(PROJECT_ROOT, 'test/fixtures/fold-in-threads.mjs');
  const { stdout } = await run(process.execPath, [script, JSON.stringify(jobs)]);
  return JSON.parse(stdout) as (FoldOutcome & { addedMiB: number })[];
}
