import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClassification } from '../../../test/fixtures/make-classified-images.js';
import { makeTask } from '../../../test/fixtures/make-labelled-cases.js';
import { runBuilt } from '../../../test/fixtures/run-built.js';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'finetune-feed-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NAMES = {
  'finetuning/cases/case-store': ['CaseStore'],
  'finetuning/cases/load-cases': ['loadCases'],
  'finetuning/task-data': ['loadTaskData'],
  'finetuning/tasks/task-file': ['readFinetuneTask'],
  'finetuning/example-writer': ['makeBatch'],
  'finetuning/finetune-feed': ['openFinetuneFeed', 'openWriter'],
};

/** The lines that a script prints which has the task, a way to open its data, and `digestOf` batches. */
function runOn(taskFile: string, body: string): string[] {
  const script = `
    import { createHash } from 'node:crypto';
    import { rmSync } from 'node:fs';
    const task = readFinetuneTask(${JSON.stringify(taskFile)});
    const open = (memoryBytes, threads) => {
      const store = new CaseStore(${JSON.stringify(join(folder, 'cases'))}, memoryBytes);
      return loadTaskData(task, { store, limitBytes: undefined, threads }, context);
    };
    const STEPS = [0, 1, 2, 3, 4, 5, 20, 21, 3];
    const digestOf = async (source) => {
      const hash = createHash('sha256');
      for (const step of STEPS) {
        const { input, target } = await source.batch(step);
        hash.update(input).update(target);
      }
      await source.close();
      return hash.digest('hex');
    };
    ${body}`;
  return runBuilt(folder, NAMES, script);
}

/** By one thread, by two, and from disk. */
const THREE_WAYS = `
  for (const [memoryBytes, threads] of [[Infinity, 1], [Infinity, 16], [0, 1]]) {
    const { source } = await open(memoryBytes, threads);
    console.log(await digestOf(source));
  }`;

/** The training cases, in memory, and what examples are made of. */
const LOADED = `
  const store = new CaseStore(task.name + '-cases', Infinity);
  const cases = await loadCases(task.cases.train, task, context, { store });
  const plan = { patchSizeVoxels: task.patchSizeVoxels, classes: task.classes.length, training: task.training };
  const work = { kind: 'patches', cases: cases.map(({ handle }) => handle), plan };`;

describe('the feed of a fine-tuning', () => {
  const augmented = { training: { augmentation: 'full', balance: 'classes' } };

  it('gives the same patches for any number of threads, from memory and from disk, also out of turn', () => {
    const task = makeTask(join(folder, 'segmentation'), { ...augmented, spacingMm: [1.4, 1.2, 1.7] });
    const lines = runOn(task, THREE_WAYS);
    expect(lines).toHaveLength(3);
    expect(new Set(lines).size).toBe(1);
  }, 120_000);

  it('gives the patches that are made between the steps', () => {
    const task = makeTask(join(folder, 'between'), augmented);
    const lines = runOn(
      task,
      `${LOADED}
      const writer = openWriter(work);
      const between = { batch: (step) => makeBatch(writer, step, task.training.batchSize, task.patchSizeVoxels), close() {} };
      console.log(await digestOf(openFinetuneFeed(work, 1)));
      console.log(await digestOf(between));`,
    );
    expect(lines[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(lines[1]).toBe(lines[0]);
  }, 120_000);

  it('gives the same images for a classifier', () => {
    const lines = runOn(makeClassification(join(folder, 'images'), augmented), THREE_WAYS);
    expect(lines[0]).toMatch(/^[0-9a-f]{64}$/);
    expect(new Set(lines).size).toBe(1);
  }, 120_000);

  it('fails the step whose case is gone from the disk, and no other', () => {
    const task = makeTask(join(folder, 'gone'), { training: { batchSize: 1 } });
    const outcomes = runOn(
      task,
      `${LOADED}
      rmSync(cases[1].handle.place.files.image.file);
      const feed = openFinetuneFeed(work, 1);
      for (let step = 0; step < cases.length; step++) {
        console.log(await feed.batch(step).then(() => 'made', ({ code, retryable }) => code + ' ' + retryable));
      }
      await feed.close();`.replace('Infinity', '0'),
    );
    expect(outcomes.sort()).toEqual(['STORAGE_FAILED true', 'made', 'made', 'made', 'made', 'made']);
  }, 120_000);
});
