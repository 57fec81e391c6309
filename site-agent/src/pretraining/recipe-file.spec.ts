import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestOf } from '@consilium/shared/models';
import { elementCount } from '@consilium/shared/weights';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { EXAMPLE_RECIPE } from './example-recipe.js';
import { pretrainRecipeSchema } from './pretrain-recipe.js';
import { recipeClock } from './recipe-clock.js';
import { describeRecipe, parseRecipe, readRecipeFile } from './recipe-file.js';
import { rateInRecipe } from './recipe-outlook.js';

describe('the recipe of Models Genesis', () => {
  const recipe = readRecipeFile(join(PROJECT_ROOT, 'deploy/recipes/models-genesis.yaml'));

  // Table of the public PyTorch code: network, transforms of generation v2, SGD, schedule, batch, epochs, patience.
  it('has the published settings', () => {
    expect(recipe).toMatchObject({
      model: { architecture: 'genesis-unet3d', width: 32, norm: 'batch', upsampling: 'transposed', outputs: 1 },
      objective: {
        kind: 'models-genesis',
        transforms: {
          nonlinearProbability: 0.9,
          invertedShare: 0.5,
          shuffleProbability: 0.5,
          shuffleBlocks: 10_000,
          flipProbability: 0.4,
          flipAxes: ['x', 'y'],
          paintProbability: 0.9,
          outPaintShare: 0.8,
          paintFill: 'noise',
        },
      },
      patch: {
        sizeVoxels: [64, 64, 32],
        minimumForeground: 0,
        sparse: { marginVoxels: [100, 100, 30], mostDense: 0.15, denseFrom: 0.425, tries: 1600 },
      },
      training: {
        optimizer: { kind: 'sgd', learningRate: 1, momentum: 0.9 },
        schedule: { kind: 'epochs', every: 40, factor: 0.5 },
        batchSize: 6,
        patchesPerVolume: 32,
        epochs: 10_000,
        earlyStopEpochs: 50,
      },
      validation: { patchesPerVolume: 32, everyEpochs: 1 },
    });
    const { optimizer } = recipe.training;
    expect([optimizer.weightDecay, 'nesterov' in optimizer, optimizer.clipNorm]).toEqual([undefined, false, undefined]);
    expect(recipe.objective).not.toHaveProperty('curriculum');
    expect(manifestOf(recipe.model).tensors.reduce((sum, { shape }) => sum + elementCount(shape), 0)).toBe(19_073_665);
  });

  it('makes the published epochs and rates of the published data', () => {
    expect(Math.round(623 * recipe.validation.share)).toBe(178);
    const clock = recipeClock(recipe, 445);
    expect(clock).toEqual({ pairsPerStep: 6, stepsPerEpoch: 2373, totalSteps: 23_730_000, validateEverySteps: 2373 });
    const rates = [0, 39, 40, 79, 80].map((epoch) => rateInRecipe(NaN, recipe.training, clock, epoch * clock.stepsPerEpoch));
    expect(rates).toEqual([1, 1, 0.5, 0.5, 0.25]);
  });

  it('is what a recipe is that says nothing but its network', () => {
    const { training } = pretrainRecipeSchema.parse({ name: 'plain', model: recipe.model });
    expect(training).toEqual(recipe.training);
  });
});

describe('the recipe of the universal model', () => {
  it('says what a recipe has that says nothing but its network, objective and length', () => {
    const recipe = readRecipeFile(join(PROJECT_ROOT, 'deploy/recipes/universal.yaml'));
    const { model, objective, patch, training } = pretrainRecipeSchema.parse({
      name: 'plain',
      model: { architecture: 'universal-model', width: 32, norm: 'batch' },
      objective: { kind: 'universal-model' },
      patch: { scales: {} },
      training: { epochs: 200 },
    });
    expect(recipe).toMatchObject({ model, objective, patch, training });
  });
});

describe('recipe files', () => {
  it('begin with an example that is a whole recipe', () => {
    const recipe = parseRecipe(EXAMPLE_RECIPE);
    expect(recipe).toMatchObject({ name: 'example', training: { steps: 3000 }, validation: { share: 0.2 } });
    expect(recipe.objective.curriculum).toEqual([{ until: 0.2, nonlinearProbability: 0 }]);
  });

  it('are written out with every default, and read back as the same recipe', () => {
    const recipe = parseRecipe('{ name: short, model: { architecture: genesis-unet3d } }');
    expect(describeRecipe(recipe)).toContain('earlyStopEpochs: 50');
    expect(parseRecipe(describeRecipe(recipe))).toEqual(recipe);
  });

  it.each<[string, string, RegExp]>([
    ['a field that is not known', 'colour: red', /colour/],
    ['sides that the network cannot halve', 'patch: { sizeVoxels: [30, 32, 32] }', /patch\.sizeVoxels/],
    ['a schedule without a name', 'training: { schedule: { every: 3 } }', /training\.schedule/],
    ['z-scored intensities', 'patch: { preparation: { intensity: z-score } }', /patch\.preparation\.intensity/],
    ['more than can be held out', 'validation: { share: 1 }', /validation\.share/],
    ['text that is no YAML', 'training: [', /not valid YAML/],
  ])('refuses %s by its name', (_what, line, message) => {
    const text = `name: wrong\nmodel: { architecture: genesis-unet3d }\n${line}\n`;
    expect(() => parseRecipe(text)).toThrow(
      expect.objectContaining({ code: 'RECIPE_INVALID', message: expect.stringMatching(message) as string }) as Error,
    );
  });

  it('refuses a network that does not answer for every voxel', () => {
    expect(() => parseRecipe('{ name: wrong, model: { architecture: genesis-classifier } }')).toThrow(/answers for every voxel/);
  });

  it('refuses an adversary without a length of training, of which its warm-up is a share', () => {
    const recipe = (training: string): string =>
      `{ name: alone, model: { architecture: universal-model, norm: instance }, ${training}` +
      'objective: { kind: universal-model, scaleWeight: 0, adversary: { mode: alternating } } }';
    for (const text of ['', 'training: { minutes: 60 }, ']) {
      expect(() => parseRecipe(recipe(text))).toThrow(/training\.steps: an adversary’s .*shares of all steps/);
    }
    for (const text of ['training: { steps: 900 }, ', 'training: { epochs: 40 }, ']) parseRecipe(recipe(text));
  });

  it('refuses shares of a length that is not known', () => {
    const curriculum = 'objective: { kind: models-genesis, curriculum: [{ until: 0.2, nonlinearProbability: 0 }] }';
    const recipe = (text: string): string => `{ name: endless, model: { architecture: genesis-unet3d }, ${text} }`;
    expect(() => parseRecipe(recipe(curriculum))).toThrow(/training\.steps: a curriculum’s stages are shares/);
    for (const kind of ['cosine', 'polynomial']) {
      const training = (more: string): string => recipe(`training: { schedule: { kind: ${kind} }, ${more} }`);
      expect(() => parseRecipe(training('minutes: 60'))).toThrow(new RegExp(`a ${kind} schedule’s rates are shares`));
      parseRecipe(training('steps: 900'));
    }
    parseRecipe(recipe('training: { schedule: { kind: step, everySteps: 100 } }'));
  });

  it('train a universal model with an optimizer that suits its losses', () => {
    const training = (more: string) =>
      parseRecipe(
        `{ name: both, model: { architecture: universal-model, norm: instance, scales: 0 }, ${more}` +
          'objective: { kind: universal-model, scaleWeight: 0, adversary: { mode: none } } }',
      ).training;
    expect(training('')).toMatchObject({
      optimizer: { kind: 'adam', learningRate: 0.001 },
      schedule: { kind: 'epochs', every: 40, factor: 0.5 },
      batchSize: 12,
      patchesPerVolume: 33,
      earlyStopEpochs: 50,
    });
    const own = 'training: { optimizer: { kind: sgd, learningRate: 0.01 }, batchSize: 4, patchesPerVolume: 5 }, ';
    expect(training(own)).toMatchObject({ optimizer: { kind: 'sgd' }, batchSize: 4, patchesPerVolume: 5 });
  });

  it('says which file is not there', () => {
    const folder = mkdtempSync(join(tmpdir(), 'recipe-'));
    try {
      expect(() => readRecipeFile(join(folder, 'none.yaml'))).toThrow(expect.objectContaining({ code: 'NOT_FOUND' }) as Error);
      writeFileSync(join(folder, 'example.yaml'), EXAMPLE_RECIPE);
      expect(readRecipeFile(join(folder, 'example.yaml'))).toEqual(
        parseRecipe(readFileSync(join(folder, 'example.yaml'), 'utf8')),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
