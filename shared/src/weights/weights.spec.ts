import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { digestOfBytes, Random } from '@consilium/shared/kernel';
import { describeWithOracle } from '../../../test/fixtures/reference-shelf.js';
import {
  addWeights,
  decodeElements,
  elementCount,
  encodeElements,
  federatedPart,
  firstNonFinite,
  inManifestOrder,
  type Manifest,
  parameterCount,
  readSafetensors,
  requireSameTensors,
  SafetensorsFile,
  subtractWeights,
  type WeightSet,
  writeSafetensors,
} from './index.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

function makeWeights(seed = 'weights'): WeightSet {
  const random = new Random(seed);
  return [
    { name: 'e1.0.weight', shape: [2, 1, 3, 3, 3] },
    { name: 'odd', shape: [7] },
    { name: 'empty', shape: [0, 3] },
    { name: 'scalar', shape: [] },
  ].map(({ name, shape }) => ({
    name,
    shape,
    values: Float32Array.from({ length: elementCount(shape) }, () => random.between(-2, 2)),
  }));
}

const manifest: Manifest = {
  tensors: makeWeights().map(({ name, shape }) => ({
    name,
    shape,
    dtype: 'F32',
    scope: name === 'odd' ? 'site-local' : 'federated',
  })),
};

describe('safetensors files', () => {
  it('give back what was written, bit for bit, with metadata and a digest of the bytes', async () => {
    const path = join(folder, 'round-trip.safetensors');
    const written = await writeSafetensors(path, makeWeights(), { metadata: { format: 'pt' } });
    const bytes = await readFile(path);
    expect(written).toEqual({ digest: digestOfBytes(bytes), bytes: bytes.byteLength });
    const { weights, metadata } = await readSafetensors(path);
    expect(weights).toEqual(makeWeights());
    expect(metadata).toEqual({ format: 'pt' });
    expect((await readdir(folder)).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('are read in ranges', async () => {
    const path = join(folder, 'ranges.safetensors');
    await writeSafetensors(path, makeWeights());
    const file = await SafetensorsFile.open(path);
    expect(await file.read('e1.0.weight', 5, 9)).toEqual(makeWeights()[0]?.values.slice(5, 9));
    expect((await file.read('odd', 5, 900)).length).toBe(2);
    await file.close();
  });

  it('are refused when cut short, extended, or with a header that lies', async () => {
    const path = join(folder, 'bad.safetensors');
    await writeSafetensors(path, makeWeights());
    const good = await readFile(path);
    const headerBytes = Number(good.readBigUInt64LE()) + 8;
    const mutants: Buffer[] = [
      good.subarray(0, good.length - 1),
      Buffer.concat([good, Buffer.from([0])]),
      good.subarray(0, 4),
      Buffer.from(good).fill(0xff, 0, 8),
      Buffer.from(good).fill(0x20, 8, headerBytes),
      Buffer.from(good.toString('latin1').replace('"F32"', '"I32"'), 'latin1'),
      Buffer.from(good.toString('latin1').replace('[0,216]', '[8,216]'), 'latin1'),
    ];
    for (const mutant of mutants) {
      await writeFile(path, mutant);
      await expect(SafetensorsFile.open(path)).rejects.toMatchObject({ code: 'WEIGHTS_MALFORMED' });
    }
    await expect(SafetensorsFile.open(join(folder, 'absent'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('survive 2,000 random corruptions of the header without a crash or an allocation beyond the file', async () => {
    const path = join(folder, 'fuzz.safetensors');
    await writeSafetensors(path, makeWeights());
    const good = await readFile(path);
    const random = new Random('fuzz');
    for (let i = 0; i < 2000; i++) {
      const mutant = Buffer.from(good);
      for (let k = random.integer(1, 4); k > 0; k--) mutant[random.integer(0, 300)] = random.integer(0, 255);
      await writeFile(path, mutant);
      const outcome = await readSafetensors(path).catch((error: unknown) => error);
      if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'WEIGHTS_MALFORMED' });
    }
  });

  it('notice a file that shrinks after it was opened', async () => {
    const path = join(folder, 'shrinks.safetensors');
    await writeSafetensors(path, makeWeights());
    const file = await SafetensorsFile.open(path);
    await truncate(path, 300);
    await expect(file.read('scalar')).rejects.toMatchObject({ code: 'WEIGHTS_MALFORMED' });
    await file.close();
  });
});

describe('number formats', () => {
  it.each(['F16', 'BF16'] as const)('%s: decoding and encoding again gives every bit pattern back', (dtype) => {
    const bytes = new Uint8Array(new Uint16Array(65536).map((_, i) => i).buffer);
    const values = decodeElements(bytes, dtype);
    const again = new Uint16Array(encodeElements(values, dtype).slice().buffer);
    for (let i = 0; i < 65536; i++) {
      if (Number.isNaN(values[i]))
        expect(Number.isNaN(decodeElements(encodeElements(values.subarray(i, i + 1), dtype), dtype)[0])).toBe(true);
      else if (again[i] !== i) throw new Error(`${dtype} pattern ${i} came back as ${again[i]}`);
    }
  });

  it('refuses to write what 16 bits make infinite, naming the tensor', async () => {
    const path = join(folder, 'large.safetensors');
    const weights = [{ name: 'norm.running_var', shape: [2], values: Float32Array.of(65_519, 1e5) }];
    const refusal = { code: 'ARGUMENT_INVALID', message: 'norm.running_var holds 100000, and F16 ends at 65504' };
    await expect(writeSafetensors(path, weights, { dtype: 'F16' })).rejects.toMatchObject(refusal);
    expect(existsSync(path)).toBe(false);
    await writeSafetensors(path, weights, { dtype: 'BF16' });
    const fitting = weights.map((tensor) => ({ ...tensor, values: Float32Array.of(65_519, -Infinity) }));
    await writeSafetensors(path, fitting, { dtype: 'F16' }); // what was infinite before stays so
  });

  it('rounds to nearest, ties to even', () => {
    const ties = Float32Array.from([1 + 2 ** -11, 1 + 3 * 2 ** -11, 65519, 65520, 2 ** -25, 3 * 2 ** -25]);
    expect([...decodeElements(encodeElements(ties, 'F16'), 'F16')]).toEqual([1, 1 + 2 ** -9, 65504, Infinity, 0, 2 ** -23]);
    const brain = Float32Array.from([1 + 2 ** -8, 1 + 3 * 2 ** -8]);
    expect([...decodeElements(encodeElements(brain, 'BF16'), 'BF16')]).toEqual([1, 1 + 2 ** -6]);
  });
});

describe('weight sets', () => {
  it('subtract and add by name whatever the order', () => {
    const base = makeWeights('base');
    const trained = makeWeights('trained');
    const delta = subtractWeights(trained, [...base].reverse());
    addWeights(base, delta).forEach(({ values }, i) => {
      values.forEach((value, k) => expect(value).toBeCloseTo(trained[i]?.values[k] ?? NaN, 6));
    });
    expect(() => subtractWeights(trained, base.slice(1))).toThrow(/differ at tensor e1\.0\.weight/);
  });

  it('name the first bad tensor', () => {
    const weights: WeightSet = [
      { name: 'a', shape: [2], values: Float32Array.from([3, 0]) },
      { name: 'b', shape: [1], values: Float32Array.from([4]) },
    ];
    expect(firstNonFinite(weights)).toBeUndefined();
    expect(firstNonFinite([...weights, { name: 'c', shape: [1], values: Float32Array.from([NaN]) }])).toBe('c');
  });

  it('are held against a manifest, naming what is missing, extra or misshaped', () => {
    expect(parameterCount(manifest)).toBe(54 + 7 + 0 + 1);
    expect(federatedPart(manifest).tensors).toHaveLength(3);
    expect(inManifestOrder([...makeWeights()].reverse(), manifest)).toEqual(makeWeights());
    const refuse = (weights: { name: string; shape: readonly number[] }[]) => (): void =>
      requireSameTensors(manifest, weights, 'the update');
    expect(refuse(makeWeights().slice(1))).toThrow('the update lacks the tensor e1.0.weight');
    expect(refuse([...makeWeights(), { name: 'x', shape: [] }])).toThrow('the update holds the unexpected tensor x');
    expect(refuse(makeWeights().map((t) => (t.name === 'odd' ? { ...t, shape: [6] } : t)))).toThrow(
      'odd with shape [6], expected [7]',
    );
  });
});

describeWithOracle("Python's safetensors", (python) => {
  it('reads our files and writes files that we read', async () => {
    const ours = join(folder, 'ours.safetensors');
    const theirs = join(folder, 'theirs.safetensors');
    await writeSafetensors(ours, makeWeights(), { metadata: { format: 'pt' } });
    const script = `import sys, numpy as np
from safetensors.numpy import load_file, save_file
tensors = load_file(sys.argv[1])
save_file({k: np.array(v * 2, order='C') for k, v in tensors.items()}, sys.argv[2])
print(sum(v.size for v in tensors.values()))`;
    const { stdout } = await promisify(execFile)(python, ['-c', script, ours, theirs]);
    expect(Number(stdout)).toBe(62);
    const doubled = inManifestOrder((await readSafetensors(theirs)).weights, manifest);
    doubled.forEach(({ values }, i) => expect([...values]).toEqual([...(makeWeights()[i]?.values ?? [])].map((v) => 2 * v)));
  }, 60_000);
});
