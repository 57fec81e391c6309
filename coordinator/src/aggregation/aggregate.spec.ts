import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes, Random } from '@consilium/shared/kernel';
import { type Manifest, readSafetensors } from '@consilium/shared/weights';
import { aggregate, type FoldInput, type TensorReader, type UpdateToFold } from './aggregate.js';

const MANIFEST: Manifest = {
  tensors: [
    { name: 'a', shape: [3], dtype: 'F32', scope: 'federated' },
    { name: 'b', shape: [2, 1], dtype: 'F32', scope: 'federated' },
  ],
};

function reader(values: Record<string, number[]>): TensorReader {
  return { read: async (name, from, to) => new Float32Array((values[name] ?? []).slice(from, to)) };
}

function update(siteName: string, patches: number, a: number[], b: number[]): UpdateToFold {
  return { siteName, patches, delta: reader({ a, b }) };
}

async function fold(updates: UpdateToFold[], overrides: Partial<FoldInput> = {}): Promise<Buffer> {
  const base = reader({ a: [10, 20, 30], b: [-1, 0] });
  const chunks: Uint8Array[] = [];
  const input = { manifest: MANIFEST, base, updates, recipe: { name: 'fedavg' as const }, metadata: {}, ...overrides };
  for await (const chunk of aggregate(input)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function parse(bytes: Buffer): Promise<Record<string, number[]>> {
  const folder = await mkdtemp(join(tmpdir(), 'fold-'));
  try {
    await writeFile(join(folder, 'x'), bytes);
    const { weights } = await readSafetensors(join(folder, 'x'));
    return Object.fromEntries(weights.map(({ name, values }) => [name, [...values]]));
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('aggregate (federated averaging)', () => {
  it('adds the mean of the deltas weighted by patches, computed by hand', async () => {
    // a: (1×[4,0,8] + 3×[0,4,−8]) / 4 = [1, 3, −4]; b: (1×[1,1] + 3×[0,1]) / 4 = [0.25, 1].
    const bytes = await fold([update('x', 1, [4, 0, 8], [1, 1]), update('y', 3, [0, 4, -8], [0, 1])]);
    expect(await parse(bytes)).toEqual({ a: [11, 23, 26], b: [-0.75, 1] });
  });

  it('caps the weight of a giant site when the plan says so', async () => {
    // Weights 1 and min(1000, 3) = 3.
    const updates = [update('x', 1, [4, 0, 8], [1, 1]), update('y', 1000, [0, 4, -8], [0, 1])];
    const bytes = await fold(updates, { recipe: { name: 'fedavg', maximumPatchesPerSite: 3 } });
    expect(await parse(bytes)).toEqual({ a: [11, 23, 26], b: [-0.75, 1] });
  });

  it('sums in 64 bits: what 32 bits would lose is there', async () => {
    const updates = [
      update('x', 1, [2 ** 25, 0, 0], [0, 0]),
      update('y', 1, [1, 0, 0], [0, 0]),
      update('z', 1, [-(2 ** 25), 0, 0], [0, 0]),
    ];
    const bytes = await fold(updates, { base: reader({ a: [0, 0, 0], b: [0, 0] }) });
    expect((await parse(bytes))['a']?.[0]).toBe(Math.fround(1 / 3));
  });

  it('gives the same bytes for every order of arrival and every range size', async () => {
    const random = new Random('permutations');
    const draw = (count: number): number[] =>
      Array.from({ length: count }, () => random.between(-1, 1) * 10 ** random.integer(-6, 6));
    const updates = ['p', 'q', 'r', 's'].map((name) => update(name, random.integer(1, 99), draw(3), draw(2)));
    const digests = new Set<string>();
    for (let i = 0; i < 24; i++) {
      const shuffled = random.shuffle([...updates]);
      digests.add(digestOfBytes(await fold(shuffled, { rangeElements: 1 + (i % 4) })));
    }
    expect(digests.size).toBe(1);
  });

  it('never asks for more than one range at a time', async () => {
    let largest = 0;
    const counting: TensorReader = {
      read: async (_name, from, to) => {
        largest = Math.max(largest, to - from);
        return new Float32Array(to - from);
      },
    };
    const manifest: Manifest = { tensors: [{ name: 'a', shape: [1000], dtype: 'F32', scope: 'federated' }] };
    const updates = [{ siteName: 'x', patches: 1, delta: counting }];
    await fold(updates, { manifest, base: counting, rangeElements: 64 });
    expect(largest).toBe(64);
  });

  it('leaves site-local tensors as they are', async () => {
    const [first] = MANIFEST.tensors;
    if (first === undefined) throw new Error('a tensor');
    const manifest: Manifest = { tensors: [{ ...first, scope: 'site-local' }] };
    const bytes = await fold([update('x', 1, [4, 4, 4], [])], { manifest });
    expect(await parse(bytes)).toEqual({ a: [10, 20, 30] });
  });

  it('refuses a result outside the range of 32 bits, and stops when told to', async () => {
    const huge = update('x', 1, [3e38, 0, 0], [0, 0]);
    await expect(fold([huge], { base: reader({ a: [3e38, 0, 0], b: [0, 0] }) })).rejects.toMatchObject({
      code: 'TRAINING_DIVERGED',
    });
    await expect(fold([huge], { signal: AbortSignal.abort() })).rejects.toThrow();
  });
});
