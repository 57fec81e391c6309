import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makePatchClassification } from '../../../../test/fixtures/make-classified-images.js';
import { makeLabelledCase, makeTask } from '../../../../test/fixtures/make-labelled-cases.js';
import { writeNifti } from '../../../../test/fixtures/make-volume.js';
import type { OrderContext } from '../../trainer/order-context.js';
import { executeCheck, requireTestCases } from './check-cases.js';
import type { CheckedCase } from './checked-case.js';
import type { FinetuneTask } from '../tasks/finetune-task.js';
import { readFinetuneTask } from '../tasks/task-file.js';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'check-cases-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const steps: (readonly [string, number, number])[] = [];
const context: OrderContext = {
  nowMs: () => 0,
  stop: new AbortController().signal,
  report: (phase, step, total) => void steps.push([phase, step, total]),
  announce: () => undefined,
  warn: () => undefined,
};

async function check(task: FinetuneTask): Promise<readonly CheckedCase[]> {
  return (await executeCheck({ kind: 'check', limits: {}, task }, context)).cases;
}

function readTask(path: string): FinetuneTask {
  return readFinetuneTask(path);
}

describe('the check of a segmentation', () => {
  it('tells of every case what it holds', async () => {
    const cases = [0, 1, 2].map((number) => makeLabelledCase(join(folder, 'scans'), 'ball', number));
    writeFileSync(
      join(folder, 'task.yaml'),
      stringify({
        name: 'core',
        kind: 'segmentation',
        classes: [{ name: 'core', labels: [5] }],
        cases: { train: cases.slice(0, 2), test: cases.slice(2) },
      }),
    );
    const task = readTask(join(folder, 'task.yaml'));
    steps.length = 0;
    const checked = await check(task);
    expect(steps).toEqual([1, 2, 3].map((done) => ['checking', done, 3]));
    expect(checked.map(({ name, list }) => [name, list])).toEqual([
      ['ball-0', 'train'],
      ['ball-1', 'train'],
      ['ball-2', 'test'],
    ]);
    const facts = checked.flatMap((entry) => ('facts' in entry ? [entry.facts] : []));
    // The third is stored with its axes in another order; sizes and spacings are those along x, y and z.
    expect(facts[0]).toMatchObject({ modality: 'MR', sizeVoxels: [20, 18, 14], spacingMm: [1, 1, 2], otherLabels: [3] });
    expect(facts[0]?.preparedVoxels).toEqual([20, 18, 14]);
    expect(facts[2]?.sizeVoxels).toEqual([14, 22, 18]);
    for (const { classVoxels = [] } of facts) expect(classVoxels[0]).toBeGreaterThan(5);
  });

  it('finds all that cannot be used, with the remedy of each', async () => {
    const task = readTask(makeTask(folder));
    const scan = (number: number): string => join(folder, `scans/ball-${number}`);
    writeNifti(`${scan(0)}-label.nii.gz`, { sizes: [5, 5, 5], type: 'uint8', value: () => 3 });
    truncateSync(`${scan(9)}.nii.gz`, 2000);
    const checked = await check(task);
    expect(checked).toHaveLength(12);
    const wrong = checked.filter((entry) => 'problem' in entry);
    expect(wrong.map(({ name }) => name)).toEqual(['ball-0', 'ball-9']);
    expect(wrong[0]).toMatchObject({
      problem: expect.stringMatching(/^case ball-0: the label .* has 5x5x5 voxels/) as string,
      remedy: expect.stringContaining('Resample the label') as string,
    });
    // The training itself asks for the test cases before it begins; that is no step of it.
    steps.length = 0;
    await expect(requireTestCases(task, context)).rejects.toMatchObject({
      code: 'TASK_INVALID',
      message: expect.stringMatching(/^case ball-9: the image .* cannot be used/) as string,
    });
    expect(new Set(steps.map(([phase]) => phase))).toEqual(new Set(['test cases']));
  });
});

describe('the check of a classification', () => {
  it('reads a scan once for all of its patches: what is wrong with it is one problem of them all', async () => {
    const task = readTask(makePatchClassification(folder));
    truncateSync(join(folder, 'scans/scan-3.nii.gz'), 1000);
    const checked = await check(task);
    const wrong = checked.flatMap((entry) => ('problem' in entry ? [entry] : []));
    expect(wrong).toHaveLength(2);
    expect(wrong[0]?.problem).toMatch(/scan-3/);
    expect(wrong[1]?.problem).toBe(wrong[0]?.problem);
  });
});
