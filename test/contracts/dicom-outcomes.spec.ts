import { join } from 'node:path';
import { readDicomVolumes } from '../../site-agent/src/volumes/dicom/dicom-volume.js';
import { type ListedSeries, listDicomSeries } from '../../site-agent/src/volumes/dicom/list-dicom-series.js';
import type { SeriesStack } from '../../site-agent/src/volumes/dicom/series-stack.js';
import { readVolume, readVolumes } from '../../site-agent/src/volumes/read-volume.js';
import type { Volume } from '../../site-agent/src/volumes/volume.js';
import { describeWithShelf } from '../fixtures/reference-shelf.js';

/** Every DICOM folder of the reference shelf with a reference volume: files of the series, frames, what becomes of it. */
const READ: readonly (readonly [
  folder: string,
  files: number,
  frames: number,
  status: 'ok' | 'reported',
  modality: 'CT' | 'MR',
])[] = [
  ['bad_slicecount', 2, 1, 'reported', 'MR'],
  ['body_ct_j2k', 20, 1, 'ok', 'CT'],
  ['ge_anat', 4, 1, 'ok', 'MR'],
  ['generic_j2k', 4, 1, 'ok', 'MR'],
  ['generic_jpeg', 4, 1, 'ok', 'MR'],
  ['generic_jpegls', 4, 1, 'ok', 'MR'],
  ['generic_raw', 4, 1, 'ok', 'MR'],
  ['generic_rle', 4, 1, 'ok', 'MR'],
  ['head_ct_64', 93, 1, 'ok', 'CT'],
  ['hitachi_anat', 4, 1, 'ok', 'MR'],
  ['non_isotropic', 4, 1, 'ok', 'MR'],
  ['philips_4d', 8, 4, 'ok', 'MR'],
  ['philips_anat', 4, 1, 'ok', 'MR'],
  ['siemens_anat', 4, 1, 'ok', 'MR'],
  ['siemens_multiframe', 1, 1, 'ok', 'MR'],
  ['sts002_ct', 48, 1, 'ok', 'CT'],
  ['sts002_mr', 35, 1, 'ok', 'MR'],
];

/** Folders whose slices must not be stacked in silence: one line for each stack they fall into. */
const NOT_ONE_VOLUME: readonly (readonly [folder: string, outcomes: readonly (readonly [SeriesStack['status'], RegExp])[]])[] = [
  ['bad_gantrytilting', [['refused', /^its slices climb 14\.0° aslant of their normal \(gantry tilt\)/]]],
  ['bad_notavolume', [['refused', /^all its 4 slices lie at the same place, so they form no volume$/]]],
  ['bad_slicecount', [['reported', /^it has only 2 slices, too few to prove an even spacing$/]]],
  ['bad_sliceincrement', [['refused', /^1 slice is missing \(the gap is 10 mm wide after slice 3, where others are 5 mm/]]],
  [
    'bad_sliceorientation',
    [
      ['reported', /^its series holds several volumes, told apart by orientation/],
      ['reported', /^its series holds several volumes, told apart by orientation/],
    ],
  ],
];

/** Files beside the series that hold no image. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  sts002_ct: ['it holds no image (RTSTRUCT)'],
  sts002_mr: ['it holds no image (RTSTRUCT)'],
};

describeWithShelf('the DICOM folders of the reference shelf', (shelf) => {
  const folderOf = (name: string): string => join(shelf, 'data', 'dicom', name);

  it.each(READ)('%s equals its reference: voxels, affine, frames', async (name, files, frames, status, modality) => {
    const { imaging, others } = parted(await listDicomSeries(folderOf(name)).then(({ series }) => series));
    expect(others.flatMap(({ assembly }) => assembly.leftOut.map(({ reason }) => reason))).toEqual(LEFT_OUT[name] ?? []);
    expect(imaging).toHaveLength(1);
    const [series] = imaging;
    const [stack, ...further] = series?.assembly.stacks ?? [];
    expect(further).toEqual([]);
    expect(stack).toMatchObject({ status, header: { modality, geometry: { frames } } });
    expect(stack?.files).toHaveLength(files);
    const ours = readDicomVolumes({ kind: 'dicom', files: series?.files ?? [], stack: 0 });
    const reference = readVolumes({ kind: 'nifti', path: join(folderOf(name), 'reference.nii.gz'), frame: 0 });
    for (let frame = 0; frame < frames; frame++) {
      expectSame((await ours.next()).value as Volume, (await reference.next()).value as Volume, stack);
    }
    expect((await ours.next()).done).toBe(true);
    expect((await reference.next()).done).toBe(true);
  });

  it.each(NOT_ONE_VOLUME)('%s is not stacked in silence', async (name, outcomes) => {
    const { series, damaged } = await listDicomSeries(folderOf(name));
    expect(damaged).toEqual([]);
    const stacks = series.flatMap(({ assembly }) => assembly.stacks);
    expect(stacks.map(({ status }) => status)).toEqual(outcomes.map(([status]) => status));
    for (const [index, [, reason]] of outcomes.entries()) expect(stacks[index]?.reason).toMatch(reason);
    const source = { kind: 'dicom', files: series[0]?.files ?? [], stack: 0, frame: 0 } as const;
    if (stacks[0]?.status !== 'refused') await expect(readVolume(source)).resolves.toMatchObject({ repairedVoxels: 0 });
    else
      await expect(readVolume(source)).rejects.toMatchObject({
        code: 'VOLUME_UNSUITABLE',
        message: `series: ${stacks[0].reason}`,
      });
  });

  it('names every folder', async () => {
    const { readdir } = await import('node:fs/promises');
    const named = new Set([...READ, ...NOT_ONE_VOLUME].map(([folder]) => folder));
    expect([...named].sort()).toEqual((await readdir(folderOf(''))).sort());
  });
});

function parted(series: readonly ListedSeries[]) {
  return {
    imaging: series.filter(({ assembly }) => assembly.stacks.length > 0),
    others: series.filter(({ assembly }) => assembly.stacks.length === 0),
  };
}

/** Equal voxels (float rescale to 4e-6 of the value) at the same place; the header already told size and place. */
function expectSame(volume: Volume, reference: Volume, stack: SeriesStack | undefined): void {
  expect(volume.sizeVoxels).toEqual(reference.sizeVoxels);
  expect(largestDifference(volume.affine, reference.affine)).toBeLessThan(1e-3);
  if (stack?.status === 'ok')
    expect(stack.header.geometry).toMatchObject({ sizeVoxels: volume.sizeVoxels, affine: volume.affine });
  const slopes = new Set(stack?.status === 'refused' ? [] : stack?.frames.flat().map(({ plane }) => plane.slope));
  expect(largestRelativeDifference(volume.voxels, reference.voxels)).toBeLessThanOrEqual(slopes.size > 1 ? 4e-6 : 0);
}

function largestDifference(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((value, index) => Math.abs(value - (b[index] ?? NaN))));
}

function largestRelativeDifference(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] as number) - (b[i] as number));
    if (!(difference <= largest * Math.abs(b[i] as number))) largest = difference / Math.abs(b[i] as number);
  }
  return largest;
}
