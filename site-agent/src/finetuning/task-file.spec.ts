import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describeTask, readTaskFile } from './task-file.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'task-file-'));
  mkdirSync(join(folder, 'scans'));
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(join(folder, 'scans', `${name}.nii.gz`), '');
    writeFileSync(join(folder, 'scans', `${name}_label.nii.gz`), '');
  }
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = (name: string) => ({ image: `scans/${name}.nii.gz`, label: `scans/${name}_label.nii.gz` });
const valid = () => ({
  name: 'liver',
  kind: 'segmentation',
  modality: 'CT',
  classes: [{ name: 'liver', labels: [1, 2] }],
  cases: { train: [files('a')], validation: [files('b')], test: [{ ...files('c'), name: 'held-out' }] },
});

function write(task: object): string {
  const path = join(folder, 'task.yaml');
  writeFileSync(path, stringify(task));
  return path;
}

describe('task file', () => {
  it("fills in the published schedule and resolves paths against the file's folder", () => {
    const task = readTaskFile(write(valid()));
    expect(task.patchSizeVoxels).toEqual([64, 64, 32]);
    expect(task.training).toMatchObject({ learningRate: 1e-3, loss: 'dice', foregroundShare: 0.5 });
    expect(task.training.plateau).toEqual({ factor: 0.5, patience: 6, minimumDelta: 1e-4, floor: 1e-6 });
    expect(task.start).toEqual({ from: 'scratch', outputLayer: 'auto' });
    expect(task.model).toMatchObject({ width: 8, norm: 'instance' });
    expect(task.cases.train).toEqual([
      { name: 'a', image: join(folder, 'scans/a.nii.gz'), label: join(folder, 'scans/a_label.nii.gz') },
    ]);
    expect(task.cases.test[0]?.name).toBe('held-out');
  });

  it('takes the lists from a split file', () => {
    const { cases, ...rest } = valid();
    writeFileSync(join(folder, 'split.json'), JSON.stringify(cases));
    expect(readTaskFile(write({ ...rest, split: 'split.json' })).cases.validation[0]?.name).toBe('b');
  });

  it('takes one number or three as spacing, and folders, series and frames of images', () => {
    expect(readTaskFile(write({ ...valid(), spacingMm: 1.5 })).spacingMm).toEqual([1.5, 1.5, 1.5]);
    const image = { ...files('a'), image: 'scans' };
    const task = readTaskFile(
      write({ ...valid(), modality: undefined, spacingMm: [1, 1, 2.5], cases: { train: [{ ...image, series: 1, frame: 2 }] } }),
    );
    expect(task).toMatchObject({ spacingMm: [1, 1, 2.5], cases: { train: [{ name: 'scans', series: 1, frame: 2 }] } });
    expect('modality' in task).toBe(false);
    writeFileSync(join(folder, 'copy.yaml'), describeTask(task));
    expect(readTaskFile(join(folder, 'copy.yaml'))).toEqual(task);
  });

  it('lets frames of one scan share a list, but neither two lists nor one frame', () => {
    const frame = (number: number) => ({ ...files('a'), name: `a${number}`, frame: number });
    const frames = { train: [frame(0), frame(1)] };
    expect(readTaskFile(write({ ...valid(), cases: frames })).cases.train).toHaveLength(2);
    expect(() => readTaskFile(write({ ...valid(), cases: { ...frames, test: [frame(2)] } }))).toThrow(/also listed under train/);
    const twice = { train: [files('a'), { ...files('a'), name: 'again', frame: 0 }] };
    expect(() => readTaskFile(write({ ...valid(), cases: twice }))).toThrow(/also listed under train/);
  });

  it('reads back what it describes', () => {
    const task = readTaskFile(write(valid()));
    const copy = join(folder, 'copy.yaml');
    writeFileSync(copy, describeTask(task));
    expect(readTaskFile(copy)).toEqual(task);
  });

  it.each<[string, object, RegExp]>([
    ['an unknown field', { ...valid(), colour: 'red' }, /colour/],
    ['an unknown modality', { ...valid(), modality: 'PET' }, /modality/],
    ['a spacing of two numbers', { ...valid(), spacingMm: [1, 1] }, /spacingMm/],
    ['a spacing that cannot be', { ...valid(), spacingMm: 0 }, /spacingMm/],
    ['no training case', { ...valid(), cases: { train: [] } }, /cases\.train/],
    ['neither cases nor split', { ...valid(), cases: undefined }, /cases: give either/],
    ['a patch side that the network cannot halve', { ...valid(), patchSizeVoxels: [64, 64, 30] }, /patchSizeVoxels/],
    [
      'a label in two classes',
      {
        ...valid(),
        classes: [
          { name: 'x', labels: [1] },
          { name: 'y', labels: [1] },
        ],
      },
      /label 1 belongs to two/,
    ],
    ['the background as a class', { ...valid(), classes: [{ name: 'x', labels: [0] }] }, /classes\.0\.labels/],
    [
      'a missing image',
      { ...valid(), cases: { train: [{ ...files('a'), image: 'scans/zz.nii' }] } },
      /cases\.train\.0\.image.*zz\.nii/,
    ],
    ['a missing start model', { ...valid(), start: { from: 'model.safetensors' } }, /start\.from.*model\.safetensors/],
    ['one image in two lists', { ...valid(), cases: { train: [files('a')], test: [files('a')] } }, /also listed under train/],
    [
      'two cases of one name',
      { ...valid(), cases: { train: [files('a')], test: [{ ...files('b'), name: 'a' }] } },
      /two cases are called a/,
    ],
  ])('refuses %s, naming it', (_, task, message) => {
    const path = write(task);
    expect(() => readTaskFile(path)).toThrow(message);
    expect(() => readTaskFile(path)).toThrow(expect.objectContaining({ code: 'TASK_INVALID' }) as Error);
  });

  it('says that a file is absent, or that it is no YAML', () => {
    expect(() => readTaskFile(join(folder, 'none.yaml'))).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
    writeFileSync(join(folder, 'bad.yaml'), 'name: [1');
    expect(() => readTaskFile(join(folder, 'bad.yaml'))).toThrow(/not valid YAML/);
  });
});
