import { makePlane, makeSlice, makeStack } from '../../../../test/fixtures/make-dicom-facts.js';
import { onlyRefusal, onlyVolume, slicesOf, volumesOf } from '../../../../test/fixtures/read-assembly.js';
import { assembleSeries } from './assemble-series.js';
import type { DicomFacts, Point } from './dicom-facts.js';
import { along, cross } from './patient-space.js';

const SHUFFLE = [5, 2, 7, 0, 3, 6, 1, 4];
const shuffled = (files: readonly DicomFacts[]): DicomFacts[] => SHUFFLE.flatMap((index) => files[index] ?? []);
const atHeights = (heightsMm: readonly number[]): DicomFacts[] =>
  heightsMm.map((height, slice) => makeSlice(`s${slice}`, height));

describe('a plain stack', () => {
  it('is sorted by position, whatever the order of files and instance numbers', () => {
    const backwards = makeStack(8, (slice) => ({ instanceNumber: 8 - slice }));
    for (const files of [makeStack(8), shuffled(makeStack(8)), shuffled(backwards)]) {
      const volume = onlyVolume(files);
      expect(volume.status).toBe('ok');
      expect(volume.frames.map(slicesOf)).toEqual([['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7']]);
    }
  });

  it('lies in RAS+: x and y change their sign', () => {
    const { grid, header } = onlyVolume(makeStack(8, () => ({ plane: { spacingMm: [1.5, 0.75] } })));
    expect(grid).toMatchObject({ sizeVoxels: [8, 6, 8], affine: [-0.75, 0, 0, 10, 0, -1.5, 0, 20, 0, 0, 2, 0, 0, 0, 0, 1] });
    expect(header.geometry).toEqual({
      sizeVoxels: [8, 6, 8],
      spacingMm: [0.75, 1.5, 2],
      affine: [0.75, 0, 0, 10 - 0.75 * 7, 0, 1.5, 0, 20 - 1.5 * 5, 0, 0, 2, 0, 0, 0, 0, 1],
      orientation: 'LPS',
      frames: 1,
    });
    expect(header).toMatchObject({ modality: 'MR', bodyPart: 'HEAD', remarks: [] });
  });

  it.each<[string, Point, Point, string, readonly number[]]>([
    ['sagittal', [0, 1, 0], [0, 0, -1], 'PIR', [4, 8, 6]],
    ['coronal', [1, 0, 0], [0, 0, -1], 'LIP', [8, 4, 6]],
    ['axial slices seen from above', [1, 0, 0], [0, -1, 0], 'LAI', [8, 6, 4]],
    ['oblique', [0.6, 0.8, 0], [-0.8, 0.6, 0], 'PRS', [6, 8, 4]],
  ])('reads %s slices', (_, rowDirection, columnDirection, orientation, sizeVoxels) => {
    const normal = cross(rowDirection, columnDirection);
    const slice = (index: number): DicomFacts =>
      makeSlice(`s${index}`, 0, {
        planes: [makePlane(along([5, 6, 7], normal, 1.25 * index), { rowDirection, columnDirection })],
      });
    const { header, frames } = onlyVolume([3, 0, 2, 1].map(slice));
    expect(frames.map(slicesOf)).toEqual([['s0', 's1', 's2', 's3']]);
    expect(header.geometry).toMatchObject({ orientation, sizeVoxels });
    expect(header.geometry.spacingMm[header.geometry.sizeVoxels.indexOf(4)]).toBeCloseTo(1.25, 9);
  });

  it('bears positions and directions with the noise of decimal text', () => {
    const noise = [1e-4, -1e-4, 0.5e-4, -0.7e-4, 0.9e-4, 0, -1e-4, 1e-4];
    const files = makeStack(8, (slice) => ({
      planes: [
        makePlane([noise[slice] ?? 0, noise[7 - slice] ?? 0, 2 * slice + (noise[slice] ?? 0)], {
          rowDirection: [1, (noise[slice] ?? 0) / 2, 0],
        }),
      ],
    }));
    expect(onlyVolume(files)).toMatchObject({ status: 'ok', header: { geometry: { sizeVoxels: [8, 6, 8] } } });
  });
});

describe('slices that are not even', () => {
  it.each<[string, readonly number[], RegExp]>([
    [
      'a missing slice',
      [0, 2, 4, 8, 10],
      /^1 slice is missing \(the gap is 4 mm wide after slice 3, where others are 2 mm, at 4 mm\)$/,
    ],
    ['missing slices', [0, 2, 8, 10, 14, 16], /^3 slices are missing \(the first gap is 6 mm wide after slice 2/],
    ['two spacings', [0, 2, 4, 7, 10], /^its slices are not evenly spaced: gaps from 2 to 3 mm$/],
    ['a spacing that grows', [0, 1, 2.1, 3.3, 4.6, 6], /^its slices are not evenly spaced: gaps from 1 to 1.4 mm$/],
    ['one slice twice as near', [0, 2, 4, 5, 6, 8], /^its slices are not evenly spaced: gaps from 1 to 2 mm$/],
    ['a single slice', [3], /^it holds a single slice/],
    ['one place', [3, 3, 3, 3], /^all its 4 slices lie at the same place/],
  ])('refuses %s', (_, heights, reason) => {
    expect(onlyRefusal(atHeights(heights)).reason).toMatch(reason);
  });

  it('reads positions rounded to a tenth of a millimetre with their mean spacing, and says so', () => {
    const volume = onlyVolume(atHeights([0, 1.3, 2.5, 3.8, 5]));
    expect(volume).toMatchObject({ status: 'reported', header: { geometry: { spacingMm: [1, 1, 1.25] } } });
    expect(volume.reason).toBe('its slices lie up to 0.050 mm off an even spacing of 1.250 mm; it is read with the even spacing');
  });

  it.each([
    [[1, 0, 0] as const, [0, Math.cos(0.26), -Math.sin(0.26)] as const, 'tilted'],
    [[1, 0, 0] as const, [0, 1, 0] as const, 'straight'],
  ])('refuses slices that climb aslant of their normal (%s %s, %s)', (rowDirection, columnDirection, kind) => {
    const files = makeStack(8, (slice) => ({ planes: [makePlane([0, 0, 2 * slice], { rowDirection, columnDirection })] }));
    if (kind === 'straight') expect(onlyVolume(files).status).toBe('ok');
    else expect(onlyRefusal(files).reason).toMatch(/^its slices climb 14\.9° aslant of their normal \(gantry tilt\)/);
  });

  it('reports a stated tilt that the geometry does not show', () => {
    const volume = onlyVolume(makeStack(8, () => ({ gantryTilt: -12 })));
    expect(volume.reason).toBe('its header states a gantry tilt of 12°, but its slices lie straight above each other');
    expect(onlyVolume(makeStack(8, () => ({ gantryTilt: 0 }))).status).toBe('ok');
  });

  it.each<[string, number | undefined, string, RegExp | undefined]>([
    ['without a stated spacing', undefined, 'reported', /only 2 slices, too few/],
    ['whose stated spacing agrees', 2.001, 'ok', undefined],
    ['whose stated spacing differs', 1, 'reported', /only 2 slices, 2 mm apart, where its header states 1 mm/],
  ])('two slices %s', (_, spacingBetweenSlicesMm, status, reason) => {
    const volume = onlyVolume(makeStack(2, () => ({ spacingBetweenSlicesMm })));
    expect(volume.status).toBe(status);
    if (reason !== undefined) expect(volume.reason).toMatch(reason);
  });
});

describe('files that are no slices', () => {
  it('leaves out objects without pixels and second copies', () => {
    const files = makeStack(4);
    const again = files.slice(1, 3).map((facts) => ({ ...facts, path: `${facts.path}.copy` }));
    const structures = makeSlice('rt', 0, { modality: 'RTSTRUCT', sopClass: '1.2.840.10008.5.1.4.1.1.481.3', planes: [] });
    const { stacks, leftOut } = assembleSeries([...again, ...files, { ...structures, pixels: undefined }]);
    expect(stacks).toHaveLength(1);
    expect(stacks[0]).toMatchObject({ status: 'reported', reason: '2 of its files are copies of others and left out' });
    expect(leftOut.map(({ reason }) => reason).sort()).toEqual([
      'it holds no image (RTSTRUCT)',
      'it is a copy of another file',
      'it is a copy of another file',
    ]);
    expect(leftOut.map(({ file }) => file)).toContain('/scans/s1.dcm.copy');
  });

  it('keeps different slices to which an anonymiser gave one identifier', () => {
    expect(onlyVolume(makeStack(4, () => ({ sopInstance: '1.2.3' }))).frames.map(slicesOf)).toEqual([['s0', 's1', 's2', 's3']]);
  });

  it('refuses a slice that is there twice with different identifiers', () => {
    const files = [...makeStack(5), makeSlice('again', 4, { instanceNumber: 3 })];
    expect(onlyRefusal(files).reason).toBe('1 of its 5 places hold more than one image (at 4 mm)');
  });

  it.each<[string, Partial<DicomFacts>, RegExp]>([
    ['another modality', { modality: 'PT' }, /^its modality is PT/],
    ['pixels that are missing', { pixels: undefined, planes: [] }, /^its pixel data is missing$/],
    ['colour', { pixels: { ...pixelsOf(), photometric: 'RGB', samplesPerPixel: 3 } }, /^its pixels are in colour \(RGB\)/],
    ['a palette', { pixels: { ...pixelsOf(), photometric: 'PALETTE COLOR' } }, /^its pixels are in colour/],
    ['no position', { planes: [{ ...makePlane([0, 0, 0]), position: undefined }] }, /^it states no position in the patient/],
    ['no orientation', { planes: [{ ...makePlane([0, 0, 0]), rowDirection: undefined }] }, /^it states no orientation/],
    ['a place outside of any scanner', { planes: [makePlane([0, 0, 1e300])] }, /outside of any scanner/],
    ['no pixel size', { planes: [{ ...makePlane([0, 0, 0]), spacingMm: undefined }] }, /^it states no pixel size/],
    [
      'directions that are not at right angles',
      { planes: [makePlane([0, 0, 0], { columnDirection: [0.8, 0.6, 0] })] },
      /right angles/,
    ],
    ['a mosaic of unknown tiles', { imageType: ['ORIGINAL', 'PRIMARY', 'M', 'MOSAIC'] }, /^it is a mosaic/],
  ])('refuses %s, once for all files', (_, changes, reason) => {
    const refusal = onlyRefusal(makeStack(4, () => ({})).map((facts) => ({ ...facts, ...changes })));
    expect(refusal.reason).toMatch(reason);
    expect(refusal.files).toHaveLength(4);
  });

  it('knows CT and MR by their storage class when no modality is stated', () => {
    const ct = makeStack(4, () => ({ modality: '', sopClass: '1.2.840.10008.5.1.4.1.1.2' }));
    expect(onlyVolume(ct).header.modality).toBe('CT');
    expect(onlyVolume(makeStack(4, () => ({ modality: '', sopClass: '' }))).header.modality).toBeUndefined();
  });

  it('reports MR that is to be shown inverted, and takes CT as it is', () => {
    const pixels = { photometric: 'MONOCHROME1' };
    expect(onlyVolume(makeStack(4, () => ({ pixels }))).reason).toMatch(/MONOCHROME1/);
    expect(volumesOf(makeStack(4, () => ({ pixels, modality: 'CT' })))).toMatchObject([{ status: 'ok' }]);
  });
});

function pixelsOf() {
  const { pixels } = makeSlice('p', 0);
  if (pixels === undefined) throw new Error('a made slice has pixels');
  return pixels;
}
