import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLASSIFICATION_EXAMPLE, SEGMENTATION_EXAMPLE } from './example-tasks.js';
import { describeTask, readFinetuneTask } from './task-file.js';
import { taskOfFold } from './task-of-fold.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'example-'));
  for (const name of ['images', 'labels']) mkdirSync(join(folder, name));
  for (let p = 0; p < 10; p++) for (const name of ['images', 'labels']) writeFileSync(join(folder, name, `p${p}.nii.gz`), '');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function read(example: string) {
  writeFileSync(join(folder, 'task.yaml'), example);
  return readFinetuneTask(join(folder, 'task.yaml'));
}

describe('the printed examples', () => {
  it('parse as they are: segmentation with the folders it names', () => {
    const task = read(SEGMENTATION_EXAMPLE);
    expect(task.kind).toBe('segmentation');
    expect(['train', 'validation', 'test'].map((list) => task.cases[list as 'train'].length)).toEqual([6, 2, 2]);
  });

  it('parse as they are: classification with the table it names', () => {
    const rows = Array.from({ length: 10 }, (_, p) => `images/p${p}.nii.gz,${p % 2},patient-${p}`);
    writeFileSync(join(folder, 'cases.csv'), ['image,class,patient', ...rows].join('\n'));
    const task = read(CLASSIFICATION_EXAMPLE);
    expect(task).toMatchObject({ kind: 'classification', folds: { count: 5, seed: 1 } });
    expect(taskOfFold(task, 1).cases.test).toHaveLength(2);
    writeFileSync(join(folder, 'copy.yaml'), describeTask(task));
    expect(readFinetuneTask(join(folder, 'copy.yaml'))).toEqual(task);
  });
});
