import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfFile } from '@consilium/shared/kernel';
import { writeDicomSeries } from '../../../../test/fixtures/make-dicom-series.js';
import { writeNifti } from '../../../../test/fixtures/make-volume.js';
import { orientationOf } from '../../volumes/orientation.js';
import { findScans } from '../../volumes/find-scan.js';
import { writeNiftiVolume } from '../../volumes/nifti/nifti-writer.js';
import { readVolume } from '../../volumes/read-volume.js';
import { CaseStore } from './case-store.js';
import type { LabelledCase } from './labelled-case.js';
import { digestOfImage, digestOfLabel, loadCases } from './load-cases.js';
import { validateCases } from '../validate-cases.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'load-cases-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const classes = [{ name: 'high', labels: [1] }];
function context() {
  const warnings: string[] = [];
  const quiet = { stop: new AbortController().signal, report: () => undefined };
  return { ...quiet, warnings, warn: (text: string) => void warnings.push(text) };
}

/** In memory. */
const store = new CaseStore('', Infinity);

async function load(
  files: Parameters<typeof loadCases>[0],
  plan: object = {},
  at = context(),
  scored = false,
): Promise<LabelledCase[]> {
  const cases = await loadCases(files, { classes, ...plan }, at, { store, scored });
  return cases.map((kept) => kept.whole());
}

/** A series and a NIfTI label of all that lies above its middle value, stored in an order of axes of its own. */
async function makeDicomCase(orientation: string, name = 'ct'): Promise<{ name: string; image: string; label: string }> {
  const image = join(folder, name);
  const [tilt, level] = [Math.sin(0.3), Math.cos(0.3)];
  writeDicomSeries(image, { slices: 9, rowDirection: [level, tilt, 0], columnDirection: [-tilt, level, 0] });
  const [scan] = await findScans(image);
  const volume = await readVolume(scan.source);
  const voxels = volume.voxels.map((value) => (value > 400 ? 1 : 0));
  const stored = orientationOf(orientation);
  if (stored === undefined) throw new Error(`${orientation} is no orientation`);
  const label = join(folder, `${name}-${orientation}.nii.gz`);
  await writeNiftiVolume(label, { ...volume, voxels }, stored);
  return { name, image, label };
}

describe('label maps', () => {
  const image = () => writeNifti(join(folder, 'image.nii'), { sizes: [8, 8, 8], value: (i, j, k) => 100 * (i + j + k) });

  it('count what is no number as background, and say so', async () => {
    const value = (i: number): number => (i < 2 ? NaN : i < 5 ? 1 : 2);
    const label = writeNifti(join(folder, 'label.nii'), { sizes: [8, 8, 8], type: 'float32', value });
    const at = context();
    const [labelled] = await load([{ name: 'a', image: image(), label }], { modality: 'MR' }, at);
    expect(labelled?.classMap.filter((own) => own === 1)).toHaveLength(3 * 64);
    expect(at.warnings).toEqual([expect.stringMatching(/case a: 128 voxels of its label .* count as background/)]);
  });

  it('are refused as several volumes, of which the first need not be the structure', async () => {
    const label = writeNifti(join(folder, 'label.nii'), { sizes: [8, 8, 8, 2], type: 'uint8', value: () => 1 });
    await expect(load([{ name: 'a', image: image(), label }], { modality: 'MR' })).rejects.toMatchObject({
      code: 'TASK_INVALID',
      message: expect.stringMatching(/case a: the label .* holds 2 volumes where one is needed/) as string,
      remedy: expect.stringContaining('a value of its own') as string,
    });
  });
});

describe('cases of a task', () => {
  it.each(['RAS', 'LPS', 'SAL'])('may be DICOM folders with a NIfTI label on their grid, stored as %s', async (orientation) => {
    const [labelled] = await load([await makeDicomCase(orientation)]);
    const { intensities, classMap } = labelled ?? {};
    expect(labelled?.sizeVoxels).toEqual([10, 8, 9]);
    const least = Math.min(...(intensities ?? []).filter((_, voxel) => classMap?.[voxel] === 1));
    const most = Math.max(...(intensities ?? []).filter((_, voxel) => classMap?.[voxel] === 0));
    expect(least).toBeGreaterThan(most);
  });

  it('are resampled for training and keep the labels of the image for their score', async () => {
    const files = await makeDicomCase('RAS');
    const plan = { spacingMm: [2.5, 3, 1] };
    const [labelled] = await load([files], plan, context(), true);
    expect(labelled?.sizeVoxels).toEqual([5, 4, 27]);
    expect(labelled?.classMap).toHaveLength(5 * 4 * 27);
    expect(labelled?.own?.classMap).toHaveLength(10 * 8 * 9);
    const [trained] = await load([files], plan);
    expect(trained?.own).toBeUndefined();
  });

  it('tell of the modality of each image', async () => {
    const seen: string[] = [];
    const onModality = (modality: string): void => void seen.push(modality);
    await loadCases([await makeDicomCase('RAS')], { classes }, context(), { store, onModality });
    expect(seen).toEqual(['MR']);
  });

  it('have labels that are known by all their bytes, those of a pair of files by both', async () => {
    const label = writeNifti(join(folder, 'label.nii'), { sizes: [4, 4, 4], value: () => 1 });
    expect(await digestOfLabel(label)).toBe(await digestOfFile(label));
    const [header, voxels] = ['hdr', 'img'].map((ending) => join(folder, `label.${ending}`)) as [string, string];
    writeFileSync(header, readFileSync(label).subarray(0, 348));
    writeFileSync(voxels, Buffer.of(1));
    const before = await digestOfLabel(header);
    writeFileSync(voxels, Buffer.of(2));
    expect(await digestOfLabel(header)).not.toBe(before);
  });

  it("are scored on the image's own grid", async () => {
    const files = [await makeDicomCase('RAS')];
    const cases = await loadCases(files, { classes, spacingMm: [1, 1, 1] }, context(), { store, scored: true });
    const own = cases[0]?.whole().own;
    if (own === undefined) throw new Error('the case was not resampled');
    // Networks that give every voxel the same answer.
    const certain = (value: number) => ({ predict: (input: Float32Array) => new Float32Array(input.length).fill(value) });
    const looked = { patchSizeVoxels: [16, 16, 16] as const, classes: 1, mostPassBytes: 2 ** 30 };
    const all = await validateCases(certain(1), cases, looked, context());
    const labelled = own.classMap.reduce((sum, value) => sum + value, 0);
    expect(all.dice).toBeCloseTo((2 * labelled) / (labelled + own.classMap.length), 12);
    expect(all.loss).toBeCloseTo(1 - (2 * labelled + 1) / (labelled + own.classMap.length + 1), 6);
    expect((await validateCases(certain(0.4), cases, looked, context())).dice).toBe(0);
  });

  it('name case, file and reason: modality, another grid, several series', async () => {
    const files = await makeDicomCase('RAS');
    const loadOne = (entry: typeof files & { series?: number }, plan = {}) => load([entry], plan);
    await expect(loadOne(files, { modality: 'CT' })).rejects.toThrow(/case ct: the image .* header says MR, but CT is expected/);
    const other = writeNifti(join(folder, 'other.nii'), { sizes: [10, 8, 9], type: 'uint8', value: () => 1 });
    await expect(loadOne({ ...files, label: other })).rejects.toThrow(/case ct: the label .*other\.nii/);
    writeDicomSeries(files.image, { slices: 7, changes: () => ({ series: '5.5' }) });
    await expect(loadOne(files)).rejects.toThrow(/case ct: the image .*holds 2 volumes; say which one/);
    expect(await loadOne({ ...files, series: 0 })).toHaveLength(1);
    await expect(loadOne({ ...files, series: 2 })).rejects.toThrow(/none is number 2/);
    await expect(loadOne({ ...files, image: join(folder, 'nothing') })).rejects.toMatchObject({ code: 'TASK_INVALID' });
  });

  it('say the modality of an image whose values do not tell, and are refused where its header says another', async () => {
    // As CT would be that is stored without its offset: air, soft tissue, a little bone.
    const value = (i: number, j: number): number => (i % 3 === 0 ? 0 : j === 0 ? 1500 : 1064);
    const image = writeNifti(join(folder, 'raw.nii'), { sizes: [9, 9, 9], type: 'int16', value });
    const label = writeNifti(join(folder, 'raw-label.nii'), { sizes: [9, 9, 9], type: 'uint8', value: (i) => i % 2 });
    const files = { name: 'raw', image, label };
    await expect(load([files])).rejects.toMatchObject({
      message: expect.stringMatching(/case raw: .*modality unknown/) as string,
      remedy: expect.stringContaining('for this case') as string,
    });
    expect(await load([{ ...files, modality: 'MR' }])).toHaveLength(1);
    const wrong = { ...(await makeDicomCase('RAS')), modality: 'CT' as const };
    await expect(load([wrong])).rejects.toThrow(/case ct: .*its header says MR, not CT/);
  });

  it('of a scan with several frames use the first and say so, or the one that is chosen', async () => {
    const files = {
      name: 'perfusion',
      image: writeNifti(join(folder, 'p.nii'), { sizes: [9, 9, 9, 4] }),
      label: writeNifti(join(folder, 'l.nii'), { sizes: [9, 9, 9], type: 'uint8', value: (i) => i % 2 }),
    };
    const silent = context();
    await load([files], { modality: 'MR' }, silent);
    expect(silent.warnings).toEqual([expect.stringMatching(/perfusion.*4 volumes.*frame 0/)]);
    const chosen = context();
    await load([{ ...files, frame: 3 }], { modality: 'MR' }, chosen);
    expect(chosen.warnings).toEqual([]);
    await expect(load([{ ...files, frame: 4 }], { modality: 'MR' })).rejects.toThrow(/no frame 4/);
  });

  it('are named by the bytes of all their files', async () => {
    const files = await makeDicomCase('RAS');
    const before = await digestOfImage(files);
    const copied = await makeDicomCase('RAS', 'copy');
    expect(await digestOfImage(copied)).toBe(before);
    writeDicomSeries(files.image, { slices: 9, offset: 1 });
    expect(await digestOfImage(files)).not.toBe(before);
  });
});
