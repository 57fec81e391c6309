import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FederationError } from '@consilium/shared/kernel';
import { makeNifti, type MadeVolume, writeNifti } from '../../../../test/fixtures/make-volume.js';
import { memorySource } from './byte-source.js';
import { MemoryAllowance } from './memory-allowance.js';
import { readParts } from './nifti-parts.js';
import { readNiftiHeader } from './nifti-scan.js';
import { readNiftiVolume, readNiftiVolumes, readVolume } from './nifti-volume.js';

const RAS: NonNullable<MadeVolume['sform']> = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];

const DAMAGED = 'the compressed data is damaged';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function write(name: string, bytes: Uint8Array): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

async function reasonFor(path: string): Promise<string> {
  const error: unknown = await readNiftiVolume(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof FederationError ? String(error.details['reason']) : `no refusal: ${String(error)}`;
}

async function remarksOn(made: MadeVolume): Promise<readonly string[]> {
  return (await readNiftiHeader(writeNifti(join(folder, 'remarks.nii'), made))).remarks;
}

/** A series whose voxels tell their frame: writeNifti gives all frames the same values. */
function series(frames: number, damage?: MadeVolume['damage']): Buffer {
  const file = makeNifti({ type: 'uint8', sizes: [4, 4, 4, frames], sform: RAS, ...(damage && { damage }) });
  for (let frame = 0; frame < frames; frame++) file.fill(frame + 1, 352 + 64 * frame, 352 + 64 * (frame + 1));
  return file;
}

describe('NIfTI files as hospitals have them', () => {
  it('are gzipped or not whatever their name says', async () => {
    const plain = makeNifti({ sform: RAS });
    for (const path of [
      write('plain.nii.gz', plain),
      write('packed.nii', gzipSync(plain)),
      write('CAPITALS.NII.GZ', gzipSync(plain)),
    ]) {
      expect((await readNiftiHeader(path)).geometry.sizeVoxels).toEqual([12, 10, 9]);
      expect((await readNiftiVolume(path)).voxels[9]).toBe(20);
    }
  });

  it('may be gzipped in several members, padded, or followed by other bytes', async () => {
    const plain = makeNifti({ sform: RAS });
    const parts = [0, 100, 349, 800].map((from, index, all) => gzipSync(plain.subarray(from, all[index + 1] ?? plain.length)));
    const packed = Buffer.concat(parts);
    const files = {
      'members.nii.gz': packed,
      'padded.nii.gz': Buffer.concat([packed, Buffer.alloc(512)]),
      'longer.nii': Buffer.concat([plain, Buffer.from('and some words')]),
    };
    for (const [name, bytes] of Object.entries(files)) {
      const path = write(name, bytes);
      expect((await readNiftiHeader(path)).remarks).toEqual([]);
      expect((await readNiftiVolume(path)).voxels.at(-1)).toBe(11 + 20 * 9 + 400 * 8);
    }
  });

  it.each([100, 3_000_000])('may be gzipped and followed by words: %i voxels', async (voxels) => {
    const side = Math.round(Math.cbrt(voxels));
    const packed = gzipSync(makeNifti({ type: 'uint8', sizes: [side, side, side], sform: RAS, value: (i) => i & 127 }), {
      level: 1,
    });
    packed[3] = 8 + 16; // a name and a comment
    const named = Buffer.concat([packed.subarray(0, 10), Buffer.from('scan.nii\0of somebody\0'), packed.subarray(10)]);
    for (const whole of [packed.fill(0, 3, 4), named]) {
      const volume = await readNiftiVolume(write('words.nii.gz', Buffer.concat([whole, Buffer.from('and some words')])));
      expect(volume.voxels.every((value, index) => value === (Math.floor(index / side ** 2) & 127))).toBe(true);
    }
    expect(await reasonFor(write('words.nii.gz', Buffer.concat([packed.subarray(0, -9), Buffer.from('words')])))).toMatch(
      /damaged|cut short/,
    );
  });

  it('are refused when damaged behind the voxels: the checksum tells', async () => {
    const packed = gzipSync(makeNifti({ sform: RAS }));
    expect(await reasonFor(write('tail.nii.gz', packed.subarray(0, -3)))).toBe('the compressed data is cut short');
    packed[packed.length - 6] = (packed[packed.length - 6] ?? 0) ^ 1;
    expect(await reasonFor(write('checksum.nii.gz', packed))).toBe(DAMAGED);
  });

  it.each([
    ['scan.HDR', 'scan.IMG'],
    ['mixed.Hdr', 'mixed.iMG.Gz'],
    ['Name.hdr', 'name.img'],
    ['packed.hdr.gz', 'packed.img.gz'],
  ])('come as pairs in any case of letters: %s and %s', async (headerName, imageName) => {
    const whole = makeNifti({ sform: RAS });
    const header = Buffer.from(whole.subarray(0, 348));
    header.write('ni1', 344);
    header.writeFloatLE(0, 108);
    const packIf = (name: string, bytes: Buffer): Buffer => (/gz$/i.test(name) ? gzipSync(bytes) : bytes);
    const inside = join(folder, headerName);
    mkdirSync(inside);
    writeFileSync(join(inside, headerName), packIf(headerName, header));
    expect(await reasonFor(join(inside, headerName))).toMatch('the image file (.img) of this header is missing');
    writeFileSync(join(inside, imageName), packIf(imageName, whole.subarray(352)));
    for (const name of [headerName, imageName]) {
      expect((await readNiftiVolume(join(inside, name))).voxels[9]).toBe(20);
      expect((await readNiftiHeader(join(inside, name))).remarks).toEqual([]);
    }
  });

  it('are refused without waiting when they are pipes', async () => {
    const pipe = join(folder, 'pipe.nii');
    execFileSync('mkfifo', [pipe]);
    expect(await reasonFor(pipe)).toBe('not a regular file');
    await expect(readNiftiHeader(pipe)).rejects.toMatchObject({ code: 'VOLUME_UNREADABLE' });
  });

  it('hold several frames, which are read one by one or in one pass', async () => {
    for (const path of [write('series.nii', series(5)), write('series.nii.gz', gzipSync(series(5)))]) {
      expect((await readNiftiHeader(path)).geometry).toMatchObject({ frames: 5, sizeVoxels: [4, 4, 4] });
      expect((await readNiftiVolume(path, 3)).voxels).toEqual(new Float32Array(64).fill(4));
      const firstVoxels: (number | undefined)[] = [];
      for await (const { voxels } of readNiftiVolumes(path)) firstVoxels.push(voxels[0]);
      expect(firstVoxels).toEqual([1, 2, 3, 4, 5]);
      await expect(readNiftiVolume(path, 5)).rejects.toMatchObject({ remedy: 'Frames are counted from 0; the last one is 4.' });
    }
  });

  it('take the memory of one frame, however many there are', async () => {
    const taken = async (frames: number): Promise<number> => {
      const allowance = new MemoryAllowance(2 ** 20);
      const bytes = memorySource(gzipSync(series(frames)));
      const open = await readParts({ header: bytes, openImage: () => Promise.reject(new Error('no pair')) });
      await readVolume(open, frames - 1, { allowance });
      return allowance.takenBytes;
    };
    expect(await taken(200)).toBe(await taken(1));
  });

  it('may lack their last frames', async () => {
    const packed = write('short-series.nii.gz', gzipSync(series(3).subarray(0, -10)));
    expect((await readNiftiVolume(packed, 1)).voxels[0]).toBe(2);
    await expect(readNiftiVolume(packed, 2)).rejects.toMatchObject({ details: { reason: 'the voxel data is cut short' } });
    expect(await reasonFor(write('short-series.nii', series(3).subarray(0, -10)))).toBe('the voxel data is cut short');
  });

  it('are refused when they claim more frames or trailing data than any scan has', async () => {
    const many = (file: Buffer): Buffer => {
      [5, 1, 1, 1, 30000, 30000].forEach((size, index) => file.writeInt16LE(size, 40 + 2 * index));
      return file;
    };
    expect(await reasonFor(write('frames.nii', makeNifti({ damage: many })))).toMatch(/claims 900000000 frames/);
    const long = Buffer.concat([makeNifti(), Buffer.alloc(2 << 20)]);
    expect(await reasonFor(write('long.nii', long))).toBe('much more data than its header describes');
  });

  it('are refused when their voxels begin inside the header', async () => {
    const begin =
      (at: number): MadeVolume['damage'] =>
      (file) => (file.writeFloatLE(at, 108), file);
    for (const at of [4, 348]) {
      expect(await reasonFor(writeNifti(join(folder, 'begin.nii'), { damage: begin(at) }))).toMatch('begin inside the header');
    }
    expect(await remarksOn({ sform: RAS, damage: begin(0) })).toEqual([
      'the header does not say where its voxels begin; they were read from right behind it',
    ]);
  });
});

describe('remarks on headers', () => {
  const units =
    (code: number): MadeVolume['damage'] =>
    (file) => (file.writeUInt8(code, 123), file);

  it('are none for an ordinary file', async () => {
    expect(await remarksOn({ sform: RAS })).toEqual([]);
    expect(await remarksOn({ sform: RAS, damage: units(0) })).toEqual([]);
    expect(await remarksOn({ spacingMm: [1, 2, 3] })).toEqual([]);
    expect(await remarksOn({ sform: RAS, qform: { quaternion: [0, 0, 0], offset: [0, 0, 0], qfac: 1 } })).toEqual([]);
  });

  it('warn of other units and of sizes no scanner has', async () => {
    expect(await remarksOn({ sform: RAS, damage: units(1) })).toEqual([
      'the header gives sizes in metres; they were read as millimetres',
    ]);
    expect(await remarksOn({ sform: RAS, damage: units(3 + 8) })).toEqual([
      'the header gives sizes in micrometres; they were read as millimetres',
    ]);
    expect(await remarksOn({ spacingMm: [500, 500, 500], damage: units(2) })).toEqual(['a voxel size of 500 mm is hardly right']);
  });

  it('warn where two parts of a header disagree', async () => {
    const mirrored = { quaternion: [0, 1, 0], offset: [0, 0, 0], qfac: -1 } as const; // half a turn about y, then z mirrored
    expect(await remarksOn({ sform: RAS, qform: mirrored })).toEqual([
      'its two orientations disagree: LAS by the qform, RAS by the sform, which was used',
    ]);
    expect(await remarksOn({ sform: RAS, spacingMm: [1, 1, 5] })).toEqual([
      'voxel sizes disagree: 1 × 1 × 5 mm stated, 1 × 1 × 1 mm by the sform, which was used',
    ]);
    expect(await remarksOn({ sform: RAS, spacingMm: [1, 0, 1] })).toEqual([
      'one voxel size is 0; sizes were taken from the orientation matrix (sform)',
    ]);
  });

  it('warn of a scale that is no number, and of a single slice', async () => {
    expect(await remarksOn({ sform: RAS, slope: NaN })).toEqual(['the scale factor is NaN: its voxels were read unscaled']);
    expect(await remarksOn({ sform: RAS, sizes: [9, 9, 1] })).toEqual(['a single slice, not a volume']);
  });
});
