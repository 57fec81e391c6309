import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClassification } from '../../../test/fixtures/make-classified-images.js';
import { makeTask } from '../../../test/fixtures/make-labelled-cases.js';
import type { CaseFacts, CheckedCase } from '../finetuning/cases/checked-case.js';
import type { FinetuneTask } from '../finetuning/tasks/finetune-task.js';
import { readFinetuneTask } from '../finetuning/tasks/task-file.js';
import { describeCheck, requireSoundTask } from './check-text.js';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'check-text-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const classes = [
  { name: 'shell', labels: [3] },
  { name: 'core', labels: [5, 6] },
];
const segmentation = (): FinetuneTask => readFinetuneTask(makeTask(folder, { classes }));

function sound(name: string, facts: Partial<CaseFacts> = {}, list: CheckedCase['list'] = 'train'): CheckedCase {
  const size = { sizeVoxels: [64, 64, 30], preparedVoxels: [64, 64, 30], spacingMm: [1, 1, 3] } as const;
  const usual = { modality: 'MR', ...size, classVoxels: [100, 20], otherLabels: [] } as const;
  return { name, list, facts: { ...usual, ...facts } };
}

const withTraining = (task: FinetuneTask, training: object): FinetuneTask =>
  ({ ...task, training: { ...task.training, ...training } }) as FinetuneTask;

const damaged = (name: string): CheckedCase => ({
  name,
  list: 'test',
  problem: 'case a: the image a.nii is damaged',
  remedy: 'Mend it.',
});

describe('what is told of checked cases', () => {
  it('counts cases and voxels of each class, and gives the range of sizes and spacings', () => {
    const cases = [
      sound('a'),
      sound('b', { modality: 'CT', sizeVoxels: [64, 80, 30], spacingMm: [1, 0.75, 3] }),
      sound('c', { classVoxels: [300, 0] }),
    ];
    const text = describeCheck(segmentation(), cases);
    expect(text).toContain('ball: 3 of 3 cases can be used (6 to train, 2 to validate, 4 to test)');
    expect(text).toMatch(/shell +3 +3 +100\n/);
    expect(text).toMatch(/core +5, 6 +2 +20\n/);
    expect(text).toContain('modality  1 CT, 2 MR\nvoxels    64 × 64–80 × 30\nspacing   1.00 × 0.75–1.00 × 3.00 mm');
    expect(text).not.toContain('note:');
  });

  it('remarks on labels of no class, on cases without a label, on spacings that differ', () => {
    const text = describeCheck(segmentation(), [
      sound('a', { otherLabels: [7] }),
      sound('b', { otherLabels: [2, 7], spacingMm: [1, 1, 5] }),
      sound('empty', { classVoxels: [0, 0] }),
    ]);
    expect(text).toContain('note: label values that belong to no class count as background: 2, 7 (a, b)');
    expect(text).toContain('note: nothing is labelled in empty');
    const many = describeCheck(segmentation(), [
      sound('a', { otherLabels: Array.from({ length: 500 }, (_, value) => value + 7) }),
    ]);
    expect(many).toContain('17, 18 and 488 more – is an image named as its label?');
    expect(text).toContain('note: voxels differ 1.7-fold in size along an axis; "spacingMm"');
    const resampled = { ...segmentation(), spacingMm: [1, 1, 1] as const } as FinetuneTask;
    expect(describeCheck(resampled, [sound('a'), sound('b', { spacingMm: [1, 1, 5] })])).not.toContain('spacingMm');
  });

  it('proposes a smaller patch where much of it would lie beyond the scans', () => {
    const task = { ...segmentation(), patchSizeVoxels: [64, 64, 32] } as FinetuneTask;
    const small = [30, 35, 33].map((x) => sound(`x${x}`, { preparedVoxels: [x, 64, 40] }));
    expect(describeCheck(task, small)).toContain(
      'note: the middle scan has 33 × 64 × 40 voxels, a patch 64 × 64 × 32, which is zero beyond it; "patchSizeVoxels: [40, 64, 32]"',
    );
    expect(describeCheck(task, [sound('a')])).not.toContain('patch');
  });

  it('remarks on validation that takes longer than the steps between, also of one fold', () => {
    const size = { sizeVoxels: [512, 512, 150], preparedVoxels: [512, 512, 150] } as const;
    const cases = [sound('t'), sound('v', size, 'validation'), sound('w', size, 'validation')];
    const task = { ...segmentation(), patchSizeVoxels: [64, 64, 32] } as FinetuneTask;
    // 15 × 15 × 9 windows each; a third of a patch's step, four patches a step.
    const remark = 'note: a look at the validation cases takes 4,050 windows, about as long as 709 steps, after every 50;';
    expect(describeCheck(withTraining(task, { batchSize: 2, validateEverySteps: 50 }), cases)).toContain(remark);
    const folded = {
      ...withTraining(task, { batchSize: 2, validateEverySteps: 50 }),
      folds: { count: 3, seed: 1 },
    } as FinetuneTask;
    expect(
      describeCheck(
        folded,
        ['a', 'b', 'c'].map((name) => sound(name, size)),
      ),
    ).toContain('takes 2,025 windows, about as long as 354 steps');
    expect(describeCheck(withTraining(task, { batchSize: 2, validateEverySteps: 800 }), cases)).not.toContain(
      'validation cases takes',
    );
  });

  it('tells what is wrong once for all cases that share the reason, with the remedy', () => {
    const text = describeCheck(segmentation(), [sound('s'), damaged('a'), damaged('b')]);
    expect(text).toContain('1 of 3 cases can be used');
    expect(text.match(/not usable:/g)).toHaveLength(1);
    expect(text).toMatch(/is damaged \(and 1 more case of this image\)\n {2}Mend it\.$/);
  });

  it('has nothing to remark where no case can be used', () => {
    const text = describeCheck(segmentation(), [damaged('a')]);
    expect(text).toContain('0 of 1 cases can be used');
    expect(text).not.toMatch(/NaN|note:|modality/);
  });

  it('counts images of each class in each list of a classification', () => {
    const task = readFinetuneTask(makeClassification(folder));
    expect(describeCheck(task, [])).toMatch(/class +training +validation +test cases\n.*\nplain +\d+ +\d+ +\d+\n/);
    const folded = readFinetuneTask(makeClassification(folder, { holdOut: undefined, folds: { count: 3 } }));
    expect(describeCheck(folded, [])).toMatch(/\(3 folds\)\n\nclass +cases\n.*\nplain +12\n/);
  });
});

describe('a checked task', () => {
  it('is refused when a case cannot be used', () => {
    expect(() => requireSoundTask(segmentation(), [sound('s'), damaged('a')])).toThrow(/1 of 2 cases of ball cannot be used/);
  });

  it('is refused when no training case has a class', () => {
    const task = segmentation();
    const of = (list: 'train' | 'test', facts: Partial<CaseFacts>) =>
      task.cases[list].map(({ name }) => sound(name, facts, list));
    const [lacking, test] = [of('train', { classVoxels: [5, 0] }), of('test', {})];
    expect(() => requireSoundTask(task, [...lacking, ...test])).toThrow(/no training label holds core \(5, 6\)/);
    const one = task.cases.train[0]?.name ?? '';
    expect(() => requireSoundTask(task, [...lacking.slice(1), sound(one), ...test])).not.toThrow();
  });

  it('is refused when the training cases of one fold lack a class, naming the fold, before the others are trained', () => {
    const { train, validation, test } = segmentation().cases;
    const task = readFinetuneTask(makeTask(folder, { classes, cases: [...train, ...validation, ...test], folds: { count: 3 } }));
    const rare = task.cases.train[0]?.name;
    const cases = task.cases.train.map(({ name }) => sound(name, name === rare ? {} : { classVoxels: [5, 0] }));
    expect(() => requireSoundTask(task, cases)).toThrow(/fold \d of 3: classes: no training label holds core/);
    expect(() =>
      requireSoundTask(
        task,
        task.cases.train.map(({ name }) => sound(name)),
      ),
    ).not.toThrow();
  });
});
