import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { stringify } from 'yaml';
import { makeTask } from '../../../test/fixtures/make-labelled-cases.js';
import { runBuilt } from '../../../test/fixtures/run-built.js';
import { keptInMemory } from '../finetuning/cases/kept-case.js';
import type { LabelledCase } from '../finetuning/cases/labelled-case.js';
import { type LoadedCollection, openBranchFeed } from './branch-feed.js';
import { drawTurns } from './draw-turns.js';
import { labelledRecipeSchema } from './labelled-recipe.js';

const SIZE = [16, 8, 8] as const;

/** Cases whose intensity tells the class: class c has the intensity c / 10, background 0. */
function loaded(name: string, classes: number, count: number): LoadedCollection {
  const random = new Random(name);
  const train = Array.from({ length: count }, (_, index) => {
    const classMap = Uint8Array.from({ length: 16 * 8 * 8 }, () => random.integer(0, classes));
    const labelled: LabelledCase = {
      name: `${name}-${index}`,
      sizeVoxels: SIZE,
      classMap,
      intensities: Float32Array.from(classMap, (value) => value / 10),
    };
    return keptInMemory(labelled, classes);
  });
  const named = Array.from({ length: classes }, (_, index) => ({ name: `class-${index}`, labels: [index + 1] }));
  return { collection: { name, classes: named, cases: { train: [], validation: [], test: [] } }, train, validation: [] };
}

const recipe = labelledRecipeSchema.parse({
  name: 'two',
  collections: [{ task: 'x' }],
  patchSizeVoxels: SIZE,
  training: { batchSize: 3, augmentation: 'none' },
});

describe('batches of several collections', () => {
  const collections = [loaded('one', 1, 3), loaded('three', 3, 2)];
  const turns = drawTurns([3, 2], 12, 'equal', 1);
  const batches = openBranchFeed(collections, turns, recipe, 1);

  it('hold patches of the collection whose turn it is, with class numbers that fit the voxels', async () => {
    for (const [step, turn] of turns.entries()) {
      const { branch, target, input, patches, sizeVoxels } = await batches.batch(step);
      expect([branch, patches, sizeVoxels]).toEqual([['one', 'three'][turn.collection], 3, SIZE]);
      expect(target).toHaveLength(3 * 16 * 8 * 8);
      expect(input).toEqual(target.map((number) => Math.fround(number / 10)));
      expect(Math.max(...target)).toBe([1, 3][turn.collection]);
    }
  });

  it('are the same for a collection whatever the others do between', async () => {
    const ownTurns = Array.from({ length: 12 }, (_, place) => ({ collection: 1, place }));
    const alone = openBranchFeed(collections, ownTurns, recipe, 1);
    const second = turns.findIndex(({ collection, place }) => collection === 1 && place === 2);
    expect(await batches.batch(second)).toEqual(await alone.batch(2));
  });
});

describe('threads that make them', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'branch-feed-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const NAMES = {
    'finetuning/cases/case-store': ['CaseStore'],
    'finetuning/cases/load-cases': ['loadCases'],
    'finetuning/example-writer': ['makeBatch'],
    'labelled-pretraining/branch-feed': ['openBranchFeed'],
    'labelled-pretraining/branch-sampler': ['BranchSampler'],
    'labelled-pretraining/draw-turns': ['drawTurns'],
    'labelled-pretraining/read-recipe': ['readRecipe'],
  };

  /** Prints a line of the branches, and the digest of the batches, of each way to make them. */
  const SCRIPT = `
    import { createHash } from 'node:crypto';
    const recipe = readRecipe('recipe.yaml');
    const { batchSize, steps } = recipe.training;
    const turns = drawTurns([6, 6], steps, 'equal', 1);
    const STEPS = [0, 1, 2, 3, 4, 9, 10, 11, 3];
    const load = (memoryBytes) => {
      const store = new CaseStore('cases', memoryBytes);
      const loadOne = async (collection) => ({ collection, train: await loadCases(collection.cases.train, collection, context, { store }) });
      return Promise.all(recipe.collections.map(loadOne));
    };
    const print = async (source) => {
      const hash = createHash('sha256');
      const branches = [];
      for (const step of STEPS) {
        const { branch, input, target } = await source.batch(step);
        hash.update(input).update(target);
        branches.push(branch);
      }
      await source.close();
      console.log(branches.join(' '));
      console.log(hash.digest('hex'));
    };
    for (const [memoryBytes, threads] of [[Infinity, 1], [Infinity, 16], [0, 1]]) {
      await print(openBranchFeed(await load(memoryBytes), turns, recipe, threads));
    }
    const loaded = await load(Infinity);
    const collections = loaded.map(({ collection, train }) => {
      return { cases: train.map(({ handle }) => handle), classes: collection.classes.length };
    });
    const sampler = new BranchSampler({ collections, turns, plan: recipe });
    await print({
      batch: async (step) => ({
        branch: recipe.collections[turns[step].collection].name,
        ...makeBatch(sampler, step, batchSize, recipe.patchSizeVoxels),
      }),
      close() {},
    });`;

  it('make the same for any number of threads, from memory and from disk, out of turn and to the last step', () => {
    for (const name of ['balls', 'shells']) makeTask(join(folder, name), { name, spacingMm: [1.4, 1.2, 1.7] });
    const collections = [{ task: 'balls/task.yaml' }, { task: 'shells/task.yaml' }];
    const training = { steps: 12, batchSize: 3, balance: 'equal', augmentation: 'full' };
    writeFileSync(join(folder, 'recipe.yaml'), stringify({ name: 'two', collections, patchSizeVoxels: [16, 16, 8], training }));
    const lines = runBuilt(folder, NAMES, SCRIPT);
    const [branches, digests] = [0, 1].map((rest) => lines.filter((_, index) => index % 2 === rest));
    expect(branches).toHaveLength(4);
    expect(new Set(branches?.[0]?.split(' '))).toEqual(new Set(['balls', 'shells']));
    expect(digests?.[0]).toMatch(/^[0-9a-f]{64}$/);
    expect([new Set(branches).size, new Set(digests).size]).toEqual([1, 1]);
  }, 120_000);
});
