import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  type MadeSeries,
  placeValue,
  writeDicomSeries,
  writeEnhancedFile,
  writeMosaicFile,
} from '../../../../test/fixtures/make-dicom-series.js';
import { readVolume, readVolumes } from '../read-volume.js';
import type { Volume } from '../volume.js';
import { listDicomSeries } from './list-dicom-series.js';

const OBLIQUE: MadeSeries = { rowDirection: [0.8, 0.36, 0.48], columnDirection: [-0.6, 0.48, 0.64] };
const ORIENTATIONS: readonly (readonly [string, MadeSeries])[] = [
  ['axial', {}],
  ['axial, from above', { columnDirection: [0, -1, 0] }],
  ['sagittal', { rowDirection: [0, 1, 0], columnDirection: [0, 0, -1] }],
  ['coronal', { columnDirection: [0, 0, -1] }],
  ['oblique', OBLIQUE],
  ['downwards', { stepMm: -2.5 }],
  ['of more slices than are decoded at once', { slices: 37, stepMm: 0.75 }],
];

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'dicom-volume-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const filesIn = (): string[] => readdirSync(folder).map((name) => join(folder, name));
const sourceOf = (frame = 0, stack = 0) => ({ kind: 'dicom', files: filesIn(), stack, frame }) as const;

/** The largest distance of a voxel from the value that its place demands: half a unit is rounding. */
function misplacement({ sizeVoxels: [nx, ny, nz], affine: a, voxels }: Volume, offset = 0): number {
  const at = (row: number, i: number, j: number, k: number): number =>
    (a[row] ?? 0) * i + (a[row + 1] ?? 0) * j + (a[row + 2] ?? 0) * k + (a[row + 3] ?? 0);
  let largest = 0;
  for (let i = 0; i < nx; i++) {
    for (let j = 0; j < ny; j++) {
      for (let k = 0; k < nz; k++) {
        const expected = placeValue([at(0, i, j, k), at(4, i, j, k), at(8, i, j, k)]) + offset;
        largest = Math.max(largest, Math.abs((voxels[(i * ny + j) * nz + k] as number) - expected));
      }
    }
  }
  return largest;
}

describe('a DICOM series as a volume', () => {
  it.each(ORIENTATIONS)('%s slices lie where their headers say', async (_, series) => {
    writeDicomSeries(folder, series);
    const volume = await readVolume(sourceOf());
    expect(volume.voxels).toHaveLength(80 * (series.slices ?? 5));
    expect(misplacement(volume)).toBeLessThan(0.501);
    const { affine, source } = volume;
    expect([0, 5, 10].every((index) => (affine[index] ?? 0) > 0)).toBe(true);
    expect(source.sizeVoxels).toEqual([10, 8, series.slices ?? 5]);
    expect(source.headerBytes).toBeUndefined();
  });

  it.each(['implicit', 'big-endian', 'deflated'] as const)('reads %s files', async (encoding) => {
    writeDicomSeries(folder, { changes: () => ({ encoding }) });
    expect(misplacement(await readVolume(sourceOf()))).toBeLessThan(0.501);
  });

  it('rescales each slice by its own slope and intercept', async () => {
    writeDicomSeries(folder, { changes: (slice) => ({ slope: 0.5 + 0.1 * slice, intercept: 40 * slice - 100 }) });
    expect(misplacement(await readVolume(sourceOf()))).toBeLessThan(0.46);
  });

  it('reads the time points of a series, in one pass or one by one', async () => {
    for (const time of [2, 0, 1]) {
      const label = `1.2.${time}`;
      const elements = [
        { tag: 0x00200100, vr: 'IS', value: String(time + 1) },
        { tag: 0x0020000e, vr: 'UI', value: '1.2.3.4' },
      ];
      writeDicomSeries(folder, { offset: 100 * time, changes: () => ({ series: label, elements }) });
    }
    let time = 0;
    for await (const volume of readVolumes(sourceOf())) expect(misplacement(volume, 100 * time++)).toBeLessThan(0.501);
    expect(time).toBe(3);
    expect(misplacement(await readVolume(sourceOf(2)), 200)).toBeLessThan(0.501);
    await expect(readVolume(sourceOf(3))).rejects.toMatchObject({
      code: 'VOLUME_UNSUITABLE',
      message: `${basename(folder)}: there is no frame 3`,
      remedy: 'Frames are counted from 0; the last one is 2.',
    });
  });

  it.each([
    ['upwards', 3],
    ['downwards', 3],
    ['upwards', -3],
    ['downwards', -3],
  ] as const)('reads mosaics of which only the protocol tells, listed %s, %d mm apart', async (protocol, stepMm) => {
    writeMosaicFile(join(folder, 'm'), { ...OBLIQUE, slices: 7, stepMm, instance: 1, protocol });
    const volume = await readVolume(sourceOf());
    expect(volume.voxels).toHaveLength(7 * 80);
    expect(misplacement(volume)).toBeLessThan(0.501);
  });

  it('notices that a file changed between two frames', async () => {
    for (const instance of [1, 2]) writeMosaicFile(join(folder, `m${instance}`), { slices: 5, instance });
    expect(misplacement(await readVolume(sourceOf(0)))).toBeLessThan(0.501);
    writeMosaicFile(join(folder, 'm2'), { slices: 5, instance: 2, offset: 100 });
    expect(misplacement(await readVolume(sourceOf(1)), 100)).toBeLessThan(0.501);
    writeMosaicFile(join(folder, 'm2'), { slices: 4, instance: 2 });
    await expect(readVolume(sourceOf(1))).rejects.toMatchObject({ code: 'VOLUME_UNSUITABLE' });
  });

  it('reads an enhanced multi-frame file whose frames are not in order of time', async () => {
    writeEnhancedFile(join(folder, 'enhanced'), OBLIQUE, 3);
    let time = 0;
    for await (const volume of readVolumes(sourceOf())) expect(misplacement(volume, 100 * time++)).toBeLessThan(0.501);
    expect(time).toBe(3);
  });

  it('reads mosaics with empty tiles', async () => {
    for (const instance of [2, 1])
      writeMosaicFile(join(folder, `m${instance}`), { ...OBLIQUE, slices: 7, instance, offset: 100 * instance });
    let instance = 1;
    for await (const volume of readVolumes(sourceOf())) expect(misplacement(volume, 100 * instance++)).toBeLessThan(0.501);
    expect(instance).toBe(3);
  });

  it('keeps what an image shown inverted stores', async () => {
    const elements = [{ tag: 0x00280004, vr: 'CS', value: 'MONOCHROME1' }];
    writeDicomSeries(folder, { changes: () => ({ elements }) });
    expect(misplacement(await readVolume(sourceOf()))).toBeLessThan(0.501);
  });

  it('settles padding', async () => {
    const elements = [{ tag: 0x00280120, vr: 'SS', value: [32767] }];
    writeDicomSeries(folder, { changes: () => ({ elements }) });
    const [file = ''] = filesIn();
    const bytes = readFileSync(file);
    bytes.writeInt16LE(32767, bytes.length - 2);
    writeFileSync(file, bytes);
    const { voxels } = await readVolume(sourceOf());
    const sorted = [...voxels].sort((a, b) => a - b);
    expect(sorted.at(-1)).toBeLessThan(1000);
    expect(sorted[0]).toBe(sorted[1]);
  });
});

describe('a DICOM series that is no volume', () => {
  it('is refused with the reason of its assembly', async () => {
    rmSync(writeDicomSeries(folder)[2] ?? '');
    await expect(readVolume(sourceOf())).rejects.toMatchObject({
      code: 'VOLUME_UNSUITABLE',
      message: expect.stringMatching(/: 1 slice is missing/) as string,
      remedy: expect.stringMatching(/Export the whole series again/) as string,
    });
  });

  it('is refused when a file is gone, cut short or no longer the same', async () => {
    const [, second = '', third = ''] = writeDicomSeries(folder);
    const source = sourceOf();
    truncateSync(third, readFileSync(third).length - 40);
    await expect(readVolume(source)).rejects.toMatchObject({ code: 'VOLUME_UNREADABLE' });
    copyFileSync(second, third);
    await expect(readVolume(source)).rejects.toMatchObject({ code: 'VOLUME_UNSUITABLE' });
    rmSync(third);
    await expect(readVolume(source)).rejects.toMatchObject({
      message: expect.stringMatching(/: the file does not exist$/) as string,
    });
    await expect(readVolume({ ...source, stack: 4, files: [second] })).rejects.toMatchObject({ code: 'VOLUME_UNSUITABLE' });
  });
});

describe('the DICOM series of a folder', () => {
  it('keeps series and patients apart, passes over other files and tells damaged ones', async () => {
    writeDicomSeries(folder, { slices: 6 });
    writeDicomSeries(join(folder, 'deeper'), { changes: () => ({ series: '1.2.9' }) });
    writeDicomSeries(join(folder, 'other'), { slices: 4, changes: () => ({ patient: 'P2' }) });
    writeFileSync(join(folder, 'notes.txt'), 'no image');
    const [file = ''] = filesIn().filter((path) => path.endsWith('1.2.3.4'));
    writeFileSync(join(folder, 'damaged'), readFileSync(file).subarray(0, 170));
    const { series, damaged } = await listDicomSeries(folder);
    expect(series.map(({ files, assembly }) => [files.length, assembly.stacks.map(({ status }) => status)])).toEqual([
      [6, ['ok']],
      [5, ['ok']],
      [4, ['ok']],
    ]);
    expect(damaged).toMatchObject([{ file: join(folder, 'damaged'), error: { code: 'VOLUME_UNREADABLE' } }]);
    expect((await listDicomSeries(folder, { recursive: false })).series).toHaveLength(1);
  });
});
