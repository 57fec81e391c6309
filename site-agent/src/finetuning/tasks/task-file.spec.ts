import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { describeTask, readFinetuneTask, readTaskFile } from './task-file.js';
import { taskOfFold } from './task-of-fold.js';

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
    expect(task.training).toMatchObject({ learningRate: 1e-3, loss: 'dice-bce', foregroundShare: 0.5 });
    expect(task.training.plateau).toEqual({ factor: 0.5, patience: 6, minimumDelta: 1e-4, floor: 1e-6 });
    expect(task.start).toEqual({ from: 'scratch', outputLayer: 'auto', fresh: [] });
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

  it('takes one number or three as spacing, and folders, series, frames and modalities of images', () => {
    expect(readTaskFile(write({ ...valid(), spacingMm: 1.5 })).spacingMm).toEqual([1.5, 1.5, 1.5]);
    const image = { ...files('a'), image: 'scans' };
    const own = { series: 1, frame: 2, modality: 'MR' };
    const task = readTaskFile(
      write({ ...valid(), modality: undefined, spacingMm: [1, 1, 2.5], cases: { train: [{ ...image, ...own }] } }),
    );
    expect(task).toMatchObject({ spacingMm: [1, 1, 2.5], cases: { train: [{ name: 'scans', ...own }] } });
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
    [
      'a modality against that of all',
      { ...valid(), cases: { train: [{ ...files('a'), modality: 'MR' }] } },
      /line \d+.*modality: MR, but/,
    ],
    ['a spacing of two numbers', { ...valid(), spacingMm: [1, 1] }, /spacingMm/],
    ['a spacing that cannot be', { ...valid(), spacingMm: 0 }, /spacingMm/],
    ['no training case', { ...valid(), cases: { train: [] } }, /cases\.train/],
    ['neither cases nor split', { ...valid(), cases: undefined }, /cases: give "cases", "split" or "folders"/],
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

describe('cases of a task file', () => {
  const undivided = (fields: object) => ({ ...valid(), cases: undefined, ...fields });

  it('names file, line and field of what is wrong', () => {
    const path = join(folder, 'task.yaml');
    writeFileSync(path, 'name: liver\nkind: segmentation\nclasses:\n  - { name: x, labels: [1] }\ntraining:\n  steps: many\n');
    expect(() => readTaskFile(path)).toThrow(/task\.yaml line 6: training\.steps/);
    writeFileSync(path, stringify({ ...valid(), cases: { train: [files('a'), { ...files('b'), label: undefined }] } }));
    expect(() => readTaskFile(path)).toThrow(/task\.yaml line 1[0-9]: cases\.train\.1: label/);
  });

  it('come from two folders, divided by names in a file of lists of its own', () => {
    for (const name of ['images', 'labels']) {
      mkdirSync(join(folder, name));
      for (const id of ['a', 'b', 'c']) writeFileSync(join(folder, name, `${id}.nii.gz`), '');
    }
    const folders = { images: 'images', labels: 'labels' };
    const lists = { task: 'x', val: ['b'], test: ['c'], subsets: { 1: ['a'] } };
    writeFileSync(join(folder, 'split.json'), JSON.stringify(lists, null, 2));
    const split = { file: 'split.json', lists: { train: 'subsets.1', validation: 'val', test: 'test' } };
    const task = readTaskFile(write(undivided({ folders, split })));
    expect(task.cases.train).toEqual([
      { name: 'a', image: join(folder, 'images/a.nii.gz'), label: join(folder, 'labels/a.nii.gz') },
    ]);
    expect(task.cases.test.map(({ name }) => name)).toEqual(['c']);
    const wrong = { ...split, lists: { ...split.lists, train: 'subsets.2' } };
    expect(() => readTaskFile(write(undivided({ folders, split: wrong })))).toThrow(/no list subsets\.2/);
    writeFileSync(join(folder, 'split.json'), JSON.stringify({ ...lists, val: ['z'] }, null, 2));
    expect(() => readTaskFile(write(undivided({ folders, split })))).toThrow(
      /split\.json line 4: val\.0: there is no image called z/,
    );
  });

  it('come from a table, whose wrong line is named', () => {
    const rows = ['image,label,split', 'a.nii.gz,a_label.nii.gz,train', 'b.nii.gz,b_label.nii.gz,val'];
    const split = { file: 'cases.csv', folder: 'scans' };
    writeFileSync(join(folder, 'cases.csv'), rows.join('\n'));
    const task = readTaskFile(write(undivided({ split })));
    expect([task.cases.train.length, task.cases.validation.length]).toEqual([1, 1]);
    writeFileSync(join(folder, 'cases.csv'), [...rows, 'c.nii.gz,c_label.nii.gz,later'].join('\n'));
    expect(() => readTaskFile(write(undivided({ split })))).toThrow(/cases\.csv line 4: split: .*later/);
    writeFileSync(join(folder, 'cases.csv'), [...rows, 'c.nii.gz,none.nii.gz,test'].join('\n'));
    expect(() => readTaskFile(write(undivided({ split })))).toThrow(/cases\.csv line 4\.label: there is no file .*none\.nii\.gz/);
    writeFileSync(join(folder, 'cases.csv'), [...rows, 'c.nii.gz,c_label.nii.gz,'].join('\n'));
    expect(() => readTaskFile(write(undivided({ split })))).toThrow(/cases\.csv line 4: it does not say train/);
  });

  it('become folds, or are held out, or are refused when nothing says which', () => {
    const list = ['a', 'b', 'c'].map(files);
    const task = readTaskFile(write({ ...valid(), cases: list, folds: { count: 3 } }));
    expect(
      [1, 2, 3]
        .map((k) => taskOfFold(task, k).cases.test.map(({ name }) => name))
        .flat()
        .sort(),
    ).toEqual(['a', 'b', 'c']);
    expect('folds' in taskOfFold(task, 1)).toBe(false);
    const held = readTaskFile(write({ ...valid(), cases: list, holdOut: { validation: 0.3, test: 0.3 } }));
    expect([held.cases.train.length, held.cases.validation.length, held.cases.test.length]).toEqual([1, 1, 1]);
    expect(() => readTaskFile(write({ ...valid(), cases: list }))).toThrow(/cases: the list does not say/);
    expect(() => readTaskFile(write({ ...valid(), folds: { count: 3 } }))).toThrow(/folds: the cases are divided already/);
    expect(() => readTaskFile(write({ ...valid(), cases: list, folds: { count: 4 } }))).toThrow(/3 patients cannot fill 4 folds/);
    expect(() => readTaskFile(write({ ...valid(), cases: list, folds: { count: 3 }, holdOut: {} }))).toThrow(
      /holdOut: give either/,
    );
  });
});

describe('classification task', () => {
  const image = (name: string, rest: object) => ({ image: `scans/${name}.nii.gz`, ...rest });
  const classification = () => ({
    name: 'tumour',
    kind: 'classification',
    classes: ['healthy', { name: 'tumour', labels: [1, 'yes'] }],
    cases: { train: [image('a', { class: 'healthy' }), image('b', { class: 1 })], test: [image('c', { class: 'yes' })] },
  });

  it('looks classes up by name and by other words, and reads back what it describes', () => {
    const task = readFinetuneTask(write(classification()));
    if (task.kind !== 'classification') throw new Error('it is one');
    expect([...task.cases.train, ...task.cases.test].map(({ classIndex }) => classIndex)).toEqual([0, 1, 1]);
    expect(task).toMatchObject({ input: 'whole', fit: 'resize', training: { loss: 'cross-entropy', balance: 'classes' } });
    writeFileSync(join(folder, 'copy.yaml'), describeTask(task));
    expect(readFinetuneTask(join(folder, 'copy.yaml'))).toEqual(task);
    expect(() => readTaskFile(join(folder, 'copy.yaml'))).toThrow(/not a segmentation/);
  });

  it('names patches of one scan by their centres', () => {
    const train = [1, 2].map((x) => image('a', { class: x - 1 ? 'yes' : 'healthy', centre: [x, 0, 0], patient: 7 }));
    const task = readFinetuneTask(write({ ...classification(), input: 'patch', cases: { train } }));
    expect(task.cases.train.map(({ name, patient }) => [name, patient])).toEqual([
      ['a-1-0-0', '7'],
      ['a-2-0-0', '7'],
    ]);
  });

  it.each<[string, object, RegExp]>([
    [
      'a class that is none',
      { cases: { train: [image('a', { class: 2 })] } },
      /cases\.train\.0: class: 2 is none of healthy, tumour/,
    ],
    ['a case without a class', { cases: { train: [image('a', {})] } }, /class: the case names none/],
    ['a patch without a centre', { input: 'patch' }, /centre: the task reads patches/],
    ['a centre of a whole image', { cases: { train: [image('a', { class: 1, centre: [1, 1, 1] })] } }, /reads whole images/],
    ['one class', { classes: ['healthy'] }, /classes/],
    [
      'a word for two classes',
      {
        classes: [
          { name: 'x', labels: [1] },
          { name: 'y', labels: ['1'] },
        ],
      },
      /label 1 belongs to two/,
    ],
    ['one output for three classes', { classes: ['x', 'y', 'z'], training: { loss: 'bce' } }, /training\.loss: bce needs/],
    ['a loss of segmentations', { training: { loss: 'dice' } }, /training\.loss/],
    ['a network that cannot be', { model: { architecture: 'genesis-classifier', groups: 2 } }, /model\.groups: only group norm/],
    ['another kind', { kind: 'detection' }, /kind/],
  ])('refuses %s', (_, changes, message) => {
    const path = write({ ...classification(), ...changes });
    expect(() => readFinetuneTask(path)).toThrow(message);
    expect(() => readFinetuneTask(path)).toThrow(expect.objectContaining({ code: 'TASK_INVALID' }) as Error);
  });
});

describe('the options of training', () => {
  const withTraining = (training: object) => readTaskFile(write({ ...valid(), training })).training;

  it('take one word or details', () => {
    expect(withTraining({ optimizer: 'sgd', mode: 'linear-probe' })).toMatchObject({
      optimizer: { kind: 'sgd', momentum: 0.9 },
      mode: { kind: 'linear-probe' },
    });
    expect(withTraining({ mode: { kind: 'frozen-then-unfrozen', frozenSteps: 7 } }).mode).toMatchObject({ frozenSteps: 7 });
    expect(withTraining({}).optimizer).toEqual({ kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
    expect(() => withTraining({ optimizer: { kind: 'adam', learningRate: 1 } })).toThrow(/training\.optimizer/);
    expect(() => withTraining({ mode: 'half' })).toThrow(/training\.mode/);
  });

  it('keep a pin or a version as it was named, for the site to look up, unless a model lies there', () => {
    const from = (text: string): string => readTaskFile(write({ ...valid(), start: { from: text } })).start.from;
    mkdirSync(join(folder, 'good'));
    for (const name of ['universal@12', 'universal@latest', 'universal', 'good', 'scratch']) expect(from(name)).toBe(name);
    writeFileSync(join(folder, 'good/model.safetensors'), '');
    expect(from('good')).toBe(join(folder, 'good'));
    writeFileSync(join(folder, 'universal@12'), '');
    expect(from('universal@12')).toBe(join(folder, 'universal@12'));
  });

  it('need no start to be there where nothing is trained', () => {
    const path = write({ ...valid(), start: { from: join(folder, 'gone/model.safetensors') } });
    expect(() => readFinetuneTask(path)).toThrow(/start\.from: there is no model/);
    expect(readFinetuneTask(path, 'checking').name).toBe(readTaskFile(write(valid())).name);
  });

  it('need no training case where a model is only scored: test cases alone, or a list that nothing divides', () => {
    const list = ['a', 'b'].map(files);
    for (const cases of [{ test: list }, { train: [], test: list }, list, list.map((entry) => ({ ...entry, split: 'test' }))]) {
      const path = write({ ...valid(), cases });
      const lists = readFinetuneTask(path, 'scoring').cases;
      expect([lists.train.length, lists.validation.length, lists.test.map(({ name }) => name)]).toEqual([0, 0, ['a', 'b']]);
      for (const use of ['training', 'checking'] as const) expect(() => readFinetuneTask(path, use)).toThrow(/^cases/);
    }
    const held = write({ ...valid(), cases: list, holdOut: { validation: 0, test: 0.5 } });
    expect(readFinetuneTask(held, 'scoring').cases).toEqual(readFinetuneTask(held).cases);
  });
});
