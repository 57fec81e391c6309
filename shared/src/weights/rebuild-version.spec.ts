import { existsSync } from 'node:fs';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOfBytes, Random } from '@consilium/shared/kernel';
import {
  deltaMetadata,
  elementCount,
  encodeUpdate,
  rebuildVersion,
  type UpdateFormat,
  versionMetadataOf,
  type WeightSet,
  writeEncoded,
  writeSafetensors,
} from './index.js';

/** `large` is longer than the ranges in which it is read; `own` is not in the delta. */
const SHAPES: Record<string, number[]> = { stem: [4, 3, 3], scalar: [], own: [5], large: [3, 150_000], none: [0, 4] };
const METADATA = { format: 'pt', architecture: 'made "up"', version: '2' };

let folder: string;
let parent: WeightSet;
let parentDigest: Digest;

const at = (name: string): string => join(folder, name);

function made(seed: string, size: number): WeightSet {
  return Object.entries(SHAPES).map(([name, shape]) => {
    const random = new Random(`${seed}/${name}`);
    return { name, shape, values: Float32Array.from({ length: elementCount(shape) }, () => size * random.between(-1, 1)) };
  });
}

/** Writes delta and version; returns the version's digest. */
async function write(format: UpdateFormat, algorithm: 'sha256' | 'blake3' = 'blake3'): Promise<Digest> {
  const changes = made('delta', 1e-3).filter(({ name }) => name !== 'own');
  const { tensors, decoded } = encodeUpdate(changes, format);
  await writeEncoded(at('delta'), tensors, { metadata: deltaMetadata(parentDigest, METADATA) });
  const version = parent.map(({ name, shape, values }) => {
    const change = decoded.find((tensor) => tensor.name === name)?.values;
    return { name, shape, values: values.map((value, i) => value + (change?.[i] ?? 0)) };
  });
  return (await writeSafetensors(at('version'), version, { metadata: METADATA, digest: algorithm })).digest;
}

function rebuild(digest: Digest, signal = new AbortController().signal): Promise<void> {
  return rebuildVersion({ parentPath: at('parent'), deltaPath: at('delta'), digest, path: at('rebuilt'), signal });
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'rebuild-'));
  parent = made('parent', 1);
  parentDigest = (await writeSafetensors(at('parent'), parent, { metadata: { version: '1' } })).digest;
});

afterEach(() => rm(folder, { recursive: true }));

describe('a version made of its parent and a delta', () => {
  it.each(['f32', 'f16', 'bf16', 'int8'] as const)('%s: is the very file that the digest names', async (format) => {
    await rebuild(await write(format));
    expect(Buffer.compare(await readFile(at('rebuilt')), await readFile(at('version')))).toBe(0);
    expect((await readdir(folder)).sort()).toEqual(['delta', 'parent', 'rebuilt', 'version']);
  });

  it('goes by either digest', async () => {
    await rebuild(await write('f16', 'sha256'));
    expect(digestOfBytes(await readFile(at('rebuilt')))).toBe(digestOfBytes(await readFile(at('version'))));
  });

  it.each<[string, string, (file: Buffer) => void, string]>([
    [
      'one bit of the delta is wrong',
      'delta',
      (file) => file.writeUInt8(file.readUInt8(file.length - 1) ^ 1, file.length - 1),
      'DIGEST_MISMATCH',
    ],
    [
      'one bit of the parent is wrong',
      'parent',
      (file) => file.writeUInt8(file.readUInt8(file.length - 1) ^ 1, file.length - 1),
      'DIGEST_MISMATCH',
    ],
    ['the delta has no header', 'delta', (file) => file.writeUInt8(0x7f, 6), 'WEIGHTS_MALFORMED'],
    ['the delta is no delta', 'delta', (file) => file.write('xersion', file.indexOf('"version"') + 1), 'WEIGHTS_MALFORMED'],
  ])('appears nowhere when %s', async (_name, damaged, damage, code) => {
    const digest = await write('bf16');
    const bytes = await readFile(at(damaged));
    damage(bytes);
    await writeFile(at(damaged), bytes);
    await expect(rebuild(digest)).rejects.toMatchObject({ code });
    expect((await readdir(folder)).sort()).toEqual(['delta', 'parent', 'version']);
  });

  it('appears nowhere when the parent is another model, or not there', async () => {
    const digest = await write('int8');
    await writeSafetensors(at('parent'), [{ name: 'stem', shape: [2], values: new Float32Array(2) }]);
    await expect(rebuild(digest)).rejects.toMatchObject({ code: 'MANIFEST_MISMATCH' });
    await rm(at('parent'));
    await expect(rebuild(digest)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(existsSync(at('rebuilt'))).toBe(false);
  });

  it('stops when told to, and begins anew over what a kill left', async () => {
    const digest = await write('f16');
    const stopped = new AbortController();
    stopped.abort(new Error('enough'));
    await expect(rebuild(digest, stopped.signal)).rejects.toThrow('enough');
    await writeFile(at('rebuilt.rebuilt'), Buffer.alloc(5_000_000));
    await rebuild(digest);
    expect((await readdir(folder)).sort()).toEqual(['delta', 'parent', 'rebuilt', 'version']);
  });
});

describe('the metadata of a delta file', () => {
  it('carry those of the version in their order', () => {
    const carried = versionMetadataOf(deltaMetadata(parentDigest, METADATA));
    expect(Object.entries(carried)).toEqual(Object.entries(METADATA));
  });

  it.each([{}, { version: 'x' }, { version: 'null' }, { version: '{"a":1}' }])('are refused when they are %j', (metadata) => {
    expect(() => versionMetadataOf(metadata as Record<string, string>)).toThrow(/metadata of a version/);
  });
});
