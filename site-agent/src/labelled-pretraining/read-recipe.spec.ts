import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { makeTask } from '../../../test/fixtures/make-labelled-cases.js';
import { refusalOf } from '../../../test/fixtures/refusal.js';
import { medianSpacing } from './median-spacing.js';
import { readRecipe } from './read-recipe.js';

const folder = mkdtempSync(join(tmpdir(), 'read-recipe-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

makeTask(join(folder, 'balls'), { spacingMm: 1.5 });
makeTask(join(folder, 'cores'), { name: 'core', classes: [{ name: 'core', labels: [5] }] });

function recipe(fields: object): string {
  const path = join(folder, 'recipe.yaml');
  writeFileSync(
    path,
    stringify({ name: 'two', collections: [{ task: 'balls/task.yaml' }, { task: 'cores/task.yaml' }], ...fields }),
  );
  return path;
}

describe('a recipe', () => {
  it('takes classes, images and cases from the task files, and leaves the rest of them', () => {
    const read = readRecipe(recipe({ model: { depth: 18, width: 8 }, patchSizeVoxels: [16, 16, 16] }));
    const [balls, cores] = read.collections;
    expect(balls).toMatchObject({ name: 'ball', spacingMm: [1.5, 1.5, 1.5], modality: 'MR' });
    expect(balls?.cases.train[0]?.image).toBe(join(folder, 'balls/scans/ball-0.nii.gz'));
    expect(cores).toMatchObject({ name: 'core', classes: [{ name: 'core', labels: [5] }] });
    expect(cores).not.toHaveProperty('training');
    expect(read).toMatchObject({ start: 'scratch', model: { depth: 18, width: 8, norm: 'batch' }, spacing: 'median' });
    expect(read.training).toMatchObject({
      balance: 'square-root',
      optimizer: { kind: 'sgd', learningRate: 0.01, weightDecay: 1e-3 },
    });
  });

  it.each<[string, object, string, RegExp]>([
    ['an unknown field', { epochs: 3 }, 'TASK_INVALID', /epochs/],
    ['no collections', { collections: [] }, 'TASK_INVALID', /collections/],
    ['a task that is absent', { collections: [{ task: 'none.yaml' }] }, 'NOT_FOUND', /none\.yaml/],
    ['a start that is absent', { start: 'none.safetensors' }, 'TASK_INVALID', /start/],
    [
      'two branches of one name',
      { collections: [{ task: 'balls/task.yaml' }, { task: 'cores/task.yaml', name: 'ball' }] },
      'TASK_INVALID',
      /same name/,
    ],
    [
      'a name that no parameter can have',
      { collections: [{ task: 'balls/task.yaml', name: 'a.b' }] },
      'TASK_INVALID',
      /letters, digits/,
    ],
    ['sides that do not fit', { patchSizeVoxels: [20, 16, 16] }, 'TASK_INVALID', /multiple of 8/],
  ])('is refused with %s', (_what, fields, code, message) => {
    expect(refusalOf(() => readRecipe(recipe(fields)))).toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it('is refused when one collection trains on what another is judged by', () => {
    const cases = { train: [makeOf('balls', 6)], validation: [makeOf('balls', 0)] };
    makeTask(join(folder, 'leak'), { name: 'leak', cases });
    expect(() => readRecipe(recipe({ collections: [{ task: 'balls/task.yaml' }, { task: 'leak/task.yaml' }] }))).toThrow(
      /another collection trains on the image/,
    );
  });

  it('is reported when there is none, or no YAML', () => {
    expect(refusalOf(() => readRecipe(join(folder, 'absent.yaml')))).toMatchObject({ code: 'NOT_FOUND' });
    writeFileSync(join(folder, 'broken.yaml'), 'name: [');
    expect(refusalOf(() => readRecipe(join(folder, 'broken.yaml')))).toMatchObject({ code: 'TASK_INVALID' });
  });
});

describe('the median spacing', () => {
  it('is along the axes of the oriented scans, whatever the order they are stored in', async () => {
    const [oblique, straight] = [makeOf('balls', 2), makeOf('balls', 0)];
    const named = [oblique, straight].map((files, index) => ({ name: String(index), ...files }));
    const spacing = await medianSpacing([...named, { ...(named[1] as (typeof named)[0]), name: '2' }]);
    expect(spacing.map((side) => Number(side.toFixed(2)))).toEqual([1, 1, 2]);
  });
});

function makeOf(place: string, number: number): { image: string; label: string } {
  const path = join(folder, place, 'scans', `ball-${number}`);
  return { image: `${path}.nii.gz`, label: `${path}-label.nii.gz` };
}
