import { Random } from '@consilium/shared/kernel';
import { keptInMemory } from '../finetuning/cases/kept-case.js';
import type { LabelledCase } from '../finetuning/cases/labelled-case.js';
import { BranchBatches, type LoadedCollection, toClassNumbers } from './branch-batches.js';
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
  const batches = new BranchBatches(collections, turns, recipe);

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
    const alone = new BranchBatches(
      collections,
      Array.from({ length: 12 }, (_, place) => ({ collection: 1, place })),
      recipe,
    );
    const second = turns.findIndex(({ collection, place }) => collection === 1 && place === 2);
    expect(await batches.batch(second)).toEqual(await alone.batch(2));
  });
});

describe('class numbers', () => {
  it('count the classes from 1 and leave the background at 0', () => {
    expect([...toClassNumbers(Float32Array.of(0, 0, 1, 0, 0, 1), 2)]).toEqual([0, 1, 2]);
  });
});
