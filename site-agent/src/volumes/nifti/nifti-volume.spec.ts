import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FederationError, Random } from '@consilium/shared/kernel';
import { makeNifti, type MadeType, type MadeVolume, writeNifti } from '../../../../test/fixtures/make-volume.js';
import { readNiftiVolume } from './nifti-volume.js';
import type { Volume } from '../volume.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'volumes-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The file's outcome as one word or one line: "ok" or "CODE reason". */
async function outcomeOf(path: string): Promise<string> {
  try {
    await readNiftiVolume(path);
    return 'ok';
  } catch (error) {
    return error instanceof FederationError ? `${error.code} ${String(error.details['reason'])}` : `thrown: ${String(error)}`;
  }
}

function outcomeOfBytes(name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return outcomeOf(path);
}

function at(volume: Volume, x: number, y: number, z: number): number | undefined {
  return volume.voxels[(x * volume.sizeVoxels[1] + y) * volume.sizeVoxels[2] + z];
}

describe('readNiftiVolume', () => {
  const types: MadeType[] = ['uint8', 'int8', 'int16', 'uint16', 'int32', 'uint32', 'float32', 'float64', 'int64', 'uint64'];
  it.each(types)('reads %s in both versions and byte orders', async (type) => {
    const value = (i: number, j: number, k: number): number => i + 3 * j + 9 * k;
    for (const version of [1, 2] as const) {
      for (const littleEndian of [true, false]) {
        const path = writeNifti(join(folder, 'type.nii'), { type, version, littleEndian, sizes: [3, 4, 5], value, sform: RAS });
        const volume = await readNiftiVolume(path);
        expect(volume.sizeVoxels).toEqual([3, 4, 5]);
        expect([at(volume, 0, 0, 0), at(volume, 2, 0, 0), at(volume, 1, 3, 4)]).toEqual([0, 2, 46]);
      }
    }
  });

  it('applies slope and intercept; slope 0 means none', async () => {
    const scaled = await readNiftiVolume(
      writeNifti(join(folder, 's.nii.gz'), { slope: 2, intercept: -1024, value: (i) => i, sform: RAS }),
    );
    const plain = await readNiftiVolume(
      writeNifti(join(folder, 'p.nii.gz'), { slope: 0, intercept: -1024, value: (i) => i, sform: RAS }),
    );
    expect([at(scaled, 3, 0, 0), at(plain, 3, 0, 0)]).toEqual([-1018, 3]);
  });

  it('reorients to RAS+ and moves the origin along', async () => {
    // Stored axes run P, S, R: the first voxel lies at the back-to-front end.
    const sform: MadeVolume['sform'] = [
      [0, 0, 2, 5],
      [-3, 0, 0, 60],
      [0, 4, 0, -7],
    ];
    const volume = await readNiftiVolume(writeNifti(join(folder, 'psr.nii'), { sizes: [6, 7, 8], sform }));
    expect(volume.sizeVoxels).toEqual([8, 6, 7]);
    expect(volume.spacingMm).toEqual([2, 3, 4]);
    expect(volume.affine).toEqual([2, 0, 0, 5, 0, 3, 0, 45, 0, 0, 4, -7, 0, 0, 0, 1]);
    expect(at(volume, 1, 5 - 2, 3)).toBe(2 + 20 * 3 + 400 * 1); // stored (2, 3, 1)
  });

  it('prefers sform, then qform, then voxel sizes with x to the left', async () => {
    const qform: MadeVolume['qform'] = { quaternion: [0, 0, 1], offset: [1, 2, 3], qfac: -1 }; // half a turn about z, then z mirrored
    const spacingMm = [2, 3, 4] as const;
    const both = await readNiftiVolume(writeNifti(join(folder, 'b.nii'), { sform: RAS, qform, spacingMm }));
    const turned = await readNiftiVolume(writeNifti(join(folder, 'q.nii'), { qform, spacingMm }));
    const bare = await readNiftiVolume(writeNifti(join(folder, 'n.nii'), { spacingMm }));
    expect(both.source).toMatchObject({ rasAxis: [0, 1, 2], flipped: [false, false, false] });
    expect(turned.source).toMatchObject({ rasAxis: [0, 1, 2], flipped: [true, true, true] });
    expect(turned.affine).toEqual([2, 0, 0, 1 - 22, 0, 3, 0, 2 - 27, 0, 0, 4, 3 - 32, 0, 0, 0, 1]);
    expect(bare.source.flipped).toEqual([true, false, false]);
    expect(bare.affine).toEqual([2, 0, 0, -11, 0, 3, 0, -13.5, 0, 0, 4, -16, 0, 0, 0, 1]);
  });

  it('replaces single non-finite voxels by the smallest value and refuses a volume full of them', async () => {
    const some = { type: 'float32', sform: RAS, value: (i: number) => (i === 1 ? NaN : i === 2 ? Infinity : i) } as const;
    const volume = await readNiftiVolume(writeNifti(join(folder, 'nan.nii'), some));
    expect([volume.repairedVoxels, at(volume, 1, 0, 0), at(volume, 2, 0, 0)]).toEqual([180, 0, 0]);
    expect(await outcomeOfBytes('allnan.nii', makeNifti({ ...some, value: () => NaN }))).toMatch(
      'VOLUME_UNSUITABLE more than half',
    );
  });

  it('reads header and image pairs from either file', async () => {
    const whole = makeNifti({ sform: RAS });
    const header = Buffer.from(whole.subarray(0, 352));
    header.write('ni1', 344);
    header.writeFloatLE(0, 108);
    writeFileSync(join(folder, 'pair.hdr'), header);
    writeFileSync(join(folder, 'pair.img.gz'), gzipSync(whole.subarray(352)));
    for (const name of ['pair.hdr', 'pair.img.gz']) expect(at(await readNiftiVolume(join(folder, name)), 3, 2, 1)).toBe(443);
    expect(await outcomeOfBytes('alone.hdr', header)).toMatch(
      'VOLUME_UNREADABLE the image file (.img) of this header is missing',
    );
  });

  const damaged: [string, MadeVolume | Uint8Array, string][] = [
    ['empty.nii', new Uint8Array(0), 'VOLUME_UNREADABLE the file is empty'],
    ['text.nii', Buffer.from('no volume, just words\n'.repeat(30)), 'VOLUME_UNREADABLE not a NIfTI file'],
    ['text.nii.gz', gzipSync('no volume'), 'VOLUME_UNREADABLE not a NIfTI file'],
    ['short-header.nii', makeNifti().subarray(0, 200), 'VOLUME_UNREADABLE the header is cut short'],
    ['short.nii', makeNifti().subarray(0, 900), 'VOLUME_UNREADABLE the voxel data is cut short'],
    ['short.nii.gz', gzipSync(makeNifti()).subarray(0, 500), 'VOLUME_UNREADABLE the compressed data is cut short'],
    ['intercept.nii', { intercept: NaN }, 'VOLUME_UNSUITABLE the scale is not finite'],
    ['spacing.nii', { spacingMm: [1, 0, 1] }, 'VOLUME_UNSUITABLE one voxel size is 0'],
    [
      'quaternion.nii',
      { qform: { quaternion: [1, 1, 1], offset: [0, 0, 0], qfac: 1 } },
      'VOLUME_UNSUITABLE its orientation (qform) is not',
    ],
    [
      'singular.nii',
      {
        sform: [
          [1, 0, 0, 0],
          [1, 0, 0, 0],
          [0, 0, 1, 0],
        ],
      },
      'VOLUME_UNSUITABLE its orientation matrix is singular',
    ],
    ['huge.nii', { damage: int16At(42, 32767, 44, 32767, 46, 32767) }, 'VOLUME_UNSUITABLE the header claims 3.5e+13 voxels'],
    ['large.nii', { damage: int16At(42, 600, 44, 600, 46, 600) }, 'VOLUME_UNREADABLE the voxel data is cut short'],
    ['negative.nii', { damage: int16At(44, -5) }, 'VOLUME_UNREADABLE one side is -5 voxels long'],
    ['colour.nii', { damage: int16At(70, 128, 72, 24) }, 'VOLUME_UNSUITABLE its voxels are RGB colours'],
    ['unknown.nii', { damage: int16At(70, 999) }, 'VOLUME_UNREADABLE unknown data type 999'],
    ['bits.nii', { damage: int16At(72, 8) }, 'VOLUME_UNREADABLE bits per voxel (8) do not fit the data type int16'],
  ];
  it.each(damaged)('refuses %s', async (name, made, outcome) => {
    expect(await outcomeOfBytes(name, made instanceof Uint8Array ? made : makeNifti(made))).toMatch(outcome);
  });

  it('is not led astray by an extension that points backwards', async () => {
    const endless = (file: Buffer): Buffer => {
      const grown = Buffer.concat([file.subarray(0, 352), Buffer.alloc(64), file.subarray(352)]);
      grown[348] = 1;
      grown.writeInt32LE(-16, 352);
      grown.writeFloatLE(416, 108);
      return grown;
    };
    expect(await outcomeOfBytes('endless.nii', makeNifti({ damage: endless }))).toBe('ok');
  });

  it('stops a compressed stream that goes on far beyond its header', async () => {
    const bomb = gzipSync(Buffer.concat([makeNifti(), Buffer.alloc(64 << 20)]));
    expect(await outcomeOfBytes('bomb.nii.gz', bomb)).toMatch('VOLUME_UNREADABLE much more data than its header describes');
  });

  it('survives 600 files with random damage: each is read or refused with a volume error', async () => {
    const random = new Random('damage');
    const outcomes = new Set<string>();
    for (let attempt = 0; attempt < 600; attempt++) {
      const plain = makeNifti({
        version: attempt % 2 === 0 ? 1 : 2,
        littleEndian: attempt % 3 !== 0,
        sizes: [4, 4, 4],
        sform: RAS,
      });
      const file = attempt % 5 === 0 ? Buffer.from(gzipSync(plain)) : plain;
      const reach = attempt % 4 === 0 ? file.length : Math.min(file.length, 130); // sizes, types and scales lie in front
      for (let hit = 0; hit < 3; hit++) file[random.integer(0, reach - 1)] = random.integer(0, 255);
      outcomes.add((await outcomeOfBytes('damaged.nii', file)).replace(/ .*/, ''));
    }
    expect([...outcomes].sort()).toEqual(['VOLUME_UNREADABLE', 'VOLUME_UNSUITABLE', 'ok']);
  });

  it('names the file in the message but sends only the code over the wire', async () => {
    const error = await readNiftiVolume(join(folder, 'absent.nii')).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'VOLUME_UNREADABLE', message: 'absent.nii: the file does not exist' });
    expect((error as FederationError).toReport()).toMatchObject({ message: 'VOLUME_UNREADABLE', details: {} });
  });

  it('refuses a folder and a missing companion', async () => {
    expect(await outcomeOf(folder)).toMatch('VOLUME_UNREADABLE not a regular file');
    expect(await outcomeOf(join(folder, 'nothing.img'))).toMatch('VOLUME_UNREADABLE the header file (.hdr)');
  });
});

const RAS: NonNullable<MadeVolume['sform']> = [
  [1, 0, 0, 0],
  [0, 1, 0, 0],
  [0, 0, 1, 0],
];
function int16At(...pairs: number[]): (file: Buffer) => Buffer {
  return (file) => {
    for (let index = 0; index < pairs.length; index += 2) file.writeInt16LE(pairs[index + 1] ?? 0, pairs[index]);
    return file;
  };
}
