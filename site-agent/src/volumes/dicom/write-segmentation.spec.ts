import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MadeElement } from '../../../../test/fixtures/make-dicom.js';
import { type MadeSeries, writeDicomSeries } from '../../../../test/fixtures/make-dicom-series.js';
import { readSegmentation } from '../../../../test/fixtures/read-segmentation.js';
import { readDicomVolume } from './dicom-volume.js';
import { readDicomFacts } from './read-dicom-facts.js';
import { writeSegmentation } from './write-segmentation.js';

const FRAME: MadeElement = { tag: 0x00200052, vr: 'UI', value: '1.2.3.99' };
const classes = [{ name: 'core' }, { name: 'edge' }];
const about = { classes, algorithm: 'ball 0123', version: '1.0' };

let folder = '';
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'segmentation-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function writeSeries(series: MadeSeries = {}) {
  const files = writeDicomSeries(join(folder, 'series'), { changes: () => ({ elements: [FRAME] }), ...series });
  return { kind: 'dicom', files, stack: 0, frame: 0 } as const;
}

describe('DICOM segmentation', () => {
  const [tilt, level] = [Math.sin(0.2), Math.cos(0.2)];

  it.each<[string, MadeSeries]>([
    ['axial', {}],
    ['downwards', { stepMm: -3 }],
    ['oblique sagittal', { rowDirection: [0, level, tilt], columnDirection: [0, tilt, -level], slices: 4 }],
  ])('marks each voxel at its own place in the patient: %s', async (_, series) => {
    const source = writeSeries(series);
    const volume = await readDicomVolume(source);
    const [nx, ny, nz] = volume.sizeVoxels;
    const classMap = Uint8Array.from({ length: nx * ny * nz }, (__, voxel) => (voxel % 7 === 0 ? 1 : voxel % 11 === 0 ? 2 : 0));
    const path = join(folder, 'seg.dcm');
    await writeSegmentation(path, source, { ...about, classMap });

    const read = await readSegmentation(path);
    expect(read).toMatchObject({ frameOfReference: '1.2.3.99', examination: '1.2.3', patientId: 'P1' });
    const { rowDirection = [1, 0, 0], columnDirection = [0, 1, 0] } = series;
    const found = new Set<string>();
    for (const { segment, position, pixels } of read.frames) {
      pixels.forEach((inside, pixel) => {
        if (inside === 0) return;
        const [row, column] = [Math.floor(pixel / read.columns), pixel % read.columns];
        const lps = [0, 1, 2].map((axis) => {
          const along = column * 1.25 * (rowDirection[axis] ?? 0) + row * 1.5 * (columnDirection[axis] ?? 0);
          return (position[axis] ?? NaN) + along;
        });
        found.add(`${segment}@${key([-(lps[0] ?? 0), -(lps[1] ?? 0), lps[2] ?? 0])}`);
      });
    }
    const expected = new Set<string>();
    classMap.forEach((value, voxel) => {
      if (value === 0) return;
      const at = [Math.floor(voxel / (ny * nz)), Math.floor(voxel / nz) % ny, voxel % nz];
      const place = [0, 1, 2].map((axis) => {
        const entry = (column: number): number => volume.affine[4 * axis + column] ?? NaN;
        return entry(0) * (at[0] ?? 0) + entry(1) * (at[1] ?? 0) + entry(2) * (at[2] ?? 0) + entry(3);
      });
      expected.add(`${value}@${key(place)}`);
    });
    expect(found).toEqual(expected);
  });

  it('leaves planes out in which a class does not occur, and keeps a blank one when nothing does', async () => {
    const source = writeSeries();
    const { sizeVoxels } = await readDicomVolume(source);
    const voxels = sizeVoxels.reduce((product, side) => product * side, 1);
    const one = new Uint8Array(voxels);
    one[17] = 2;
    const path = join(folder, 'seg.dcm');
    await writeSegmentation(path, source, { ...about, classMap: one });
    expect((await readSegmentation(path)).frames.map(({ segment }) => segment)).toEqual([2]);
    await writeSegmentation(path, source, { ...about, classMap: new Uint8Array(voxels) });
    const [blank, ...others] = (await readSegmentation(path)).frames;
    expect([blank?.pixels.includes(1), others]).toEqual([false, []]);
  });

  it('is an object of its own that refers to the series, and no image that training would take', async () => {
    const source = writeSeries();
    const { sizeVoxels } = await readDicomVolume(source);
    const path = join(folder, 'seg.dcm');
    const classMap = new Uint8Array(sizeVoxels.reduce((product, side) => product * side, 1)).fill(1);
    await writeSegmentation(path, source, { ...about, classMap });
    const facts = await readDicomFacts(path);
    expect(facts).toMatchObject({ sopClass: '1.2.840.10008.5.1.4.1.1.66.4', modality: 'SEG', examinationInstance: '1.2.3' });
    expect(facts?.sopInstance).toMatch(/^2\.25\.\d{1,39}$/);
    expect(facts?.seriesInstance).not.toBe('1.2.3.4');
  });

  it('is refused where the series has no frame of reference', async () => {
    const source = writeSeries({ changes: () => ({}) });
    const classMap = new Uint8Array(1);
    await expect(writeSegmentation(join(folder, 'seg.dcm'), source, { ...about, classMap })).rejects.toMatchObject({
      code: 'VOLUME_UNSUITABLE',
    });
  });
});

function key(place: readonly number[]): string {
  return place.map((value) => (Math.round(value * 100) / 100 + 0).toFixed(2)).join(' ');
}
