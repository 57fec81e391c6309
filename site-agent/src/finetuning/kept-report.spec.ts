import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import { makeClassification } from '../../../test/fixtures/make-classified-images.js';
import { makeLabelledCase, makeTask } from '../../../test/fixtures/make-labelled-cases.js';
import { keptReport, nameScoring } from './kept-report.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import { readFinetuneTask } from './tasks/task-file.js';

const [model, other] = ['one', 'other'].map((text) => digestOfBytes(Buffer.from(text))) as [never, never];

describe('a report of an earlier attempt', () => {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'kept-report-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('is named by the model, the classes, and the bytes and patients of its cases', async () => {
    const task = readFinetuneTask(makeTask(folder)) as Extract<FinetuneTask, { kind: 'segmentation' }>;
    const named = await nameScoring(task, model);
    expect(await nameScoring(task, model)).toBe(named);
    const [first, ...rest] = task.cases.test;
    if (first === undefined) throw new Error('the made task has test cases');
    const changed: FinetuneTask[] = [
      { ...task, classes: [{ name: 'ball', labels: [5] }] },
      { ...task, modality: undefined },
      { ...task, cases: { ...task.cases, test: rest } },
      { ...task, cases: { ...task.cases, test: [{ ...first, patient: 'p' }, ...rest] } },
    ];
    const names = await Promise.all([nameScoring(task, other), ...changed.map((one) => nameScoring(one, model))]);
    expect(new Set([named, ...names]).size).toBe(6);
    const { label } = makeLabelledCase(join(folder, 'again'), 'another', 8);
    const relabelled = { ...task, cases: { ...task.cases, test: [{ ...first, label }, ...rest] } };
    expect(await nameScoring(relabelled, model)).not.toBe(named);
    writeFileSync(first.image, '');
    expect(await nameScoring(task, model)).toBeUndefined();
  });

  it('is named for a classification, too', async () => {
    const task = readFinetuneTask(makeClassification(folder));
    expect(await nameScoring(task, model)).not.toBe(await nameScoring(task, other));
  });

  it('is taken when it is of the same, whole, and has its pictures', async () => {
    const report = { meanDice: 0.5, scored: model };
    writeFileSync(join(folder, 'results.json'), JSON.stringify(report));
    expect(await keptReport(folder, model)).toBeUndefined(); // no table
    writeFileSync(join(folder, 'results.csv'), '');
    expect(await keptReport(folder, model)).toEqual(report);
    expect(await keptReport(folder, other)).toBeUndefined();
    expect(await keptReport(folder, undefined)).toBeUndefined();
    expect(await keptReport(folder, model, [join(folder, 'a.png')])).toBeUndefined();
    writeFileSync(join(folder, 'results.json'), JSON.stringify({ meanDice: 0.5 }));
    expect(await keptReport(folder, undefined)).toBeUndefined(); // of "evaluate", which chooses its windows
  });
});
