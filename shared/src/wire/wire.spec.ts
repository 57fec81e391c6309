import { FederationError } from '@consilium/shared/kernel';
import {
  assignmentSchema,
  campaignPlanSchema,
  genesisTransformsSchema,
  nameField,
  parseWith,
  updateReportSchema,
} from './index.js';

const smallest = { name: 'first-light', model: { architecture: 'genesis-unet3d' }, training: { steps: 10 }, rounds: 2 };

const withTraining = (fields: object): object => ({ ...smallest, training: { steps: 10, ...fields } });
const withOptimizer = (fields: object): object => withTraining({ optimizer: { learningRate: 0.1, ...fields } });

const withRunningStatistics = (fields: object): object => ({
  ...smallest,
  model: { architecture: 'genesis-unet3d', norm: 'batch', batchStatistics: 'training' },
  ...fields,
});

function errorOf(plan: unknown): FederationError {
  try {
    parseWith(campaignPlanSchema, plan, 'CAMPAIGN_INVALID', 'the campaign file');
  } catch (error) {
    if (error instanceof FederationError) return error;
  }
  throw new Error('the plan was accepted');
}

describe('a campaign file', () => {
  it('needs four fields; the rest has defaults that work', () => {
    const plan = campaignPlanSchema.parse(smallest);
    expect(plan.model).toMatchObject({ width: 8, norm: 'instance' });
    expect(plan.patch.sizeVoxels).toEqual([64, 64, 32]);
    expect(plan.training.optimizer).toEqual({ kind: 'sgd', learningRate: 0.1, momentum: 0.9 });
    expect(plan.recipe.name).toBe('fedavg');
  });

  it.each([
    [{ ...smallest, rounds: 0 }, 'rounds'],
    [{ ...smallest, training: { steps: 'many' } }, 'training.steps'],
    [{ ...smallest, patch: { sizeVoxels: [64, 64, 30] } }, 'patch.sizeVoxels'],
    [{ ...smallest, deadline: 'tomorrow' }, 'deadline'],
    [{ ...smallest, sites: ['a'], quorum: 2 }, 'quorum'],
    [{ ...smallest, recipe: { name: 'krum', byzantine: 1 }, quorum: 4 }, 'quorum'],
    [{ ...smallest, sites: ['a'], requiredSites: ['b'] }, 'requiredSites'],
    [{ ...smallest, quorum: 3, cohort: { sites: 2 } }, 'cohort.sites'],
    [
      { ...smallest, recipe: { name: 'scaffold' }, training: { steps: 1, optimizer: { kind: 'adam', learningRate: 1 } } },
      'training.optimizer.kind',
    ],
    [withRunningStatistics({ recipe: { name: 'scaffold' } }), 'siteLocal'],
    [{ ...smallest, name: '../etc' }, 'name'],
    [{ ...smallest, model: { architecture: 'genesis-unet3d', norm: 'layer' } }, 'model.norm'],
    [withOptimizer({ kind: 'sgd', momentum: 0, nesterov: true }), 'training.optimizer.nesterov'],
    [withOptimizer({ kind: 'adam', beta2: 1 }), 'training.optimizer.beta2'],
    [withOptimizer({ kind: 'adamw', learningRate: 10, weightDecay: 0.1 }), 'training.optimizer.weightDecay'],
    [withOptimizer({ kind: 'lamb', clipNorm: 0 }), 'training.optimizer.clipNorm'],
    [withOptimizer({ kind: 'sgd', averageDecay: 1 }), 'training.optimizer.averageDecay'],
    [withOptimizer({ kind: 'sgd', groups: [{ match: '' }] }), 'training.optimizer.groups.0.match'],
    [withOptimizer({ kind: 'sgd', groups: [{ match: 'e1.' }, { match: 'layer4.' }] }), 'training.optimizer.groups.1.match'],
    [withOptimizer({ kind: 'sgd', groups: [{ match: '*', frozen: true }] }), 'training.optimizer.groups'],
    [
      withOptimizer({ kind: 'sgd', groups: [{ match: 'e1', frozen: true, rateFactor: 2 }] }),
      'training.optimizer.groups.0.frozen',
    ],
    [withTraining({ schedule: { kind: 'step' } }), 'training.schedule.everySteps'],
    [
      withTraining({ schedule: { kind: 'cosine', warmUp: { steps: 5, startFactor: 0 } } }),
      'training.schedule.warmUp.startFactor',
    ],
    [withTraining({ schedule: { kind: 'cosine', warmUp: { steps: 20 } } }), 'training.schedule.warmUp.steps'],
    [withTraining({ accumulateBatches: 0 }), 'training.accumulateBatches'],
  ])('names the field that is wrong: %j', (plan, field) => {
    const error = errorOf(plan);
    expect(error).toMatchObject({ code: 'CAMPAIGN_INVALID', details: { field } });
    expect(error.message).toContain(field);
  });

  it('chooses optimizers and schedules, whose defaults are those of PyTorch and the papers', () => {
    const training = {
      steps: 10,
      optimizer: { kind: 'adamw', learningRate: 1e-3, groups: [{ match: '*.bias', weightDecay: 0 }, { match: 'out.' }] },
      schedule: { kind: 'polynomial', warmUp: { steps: 5 } },
      accumulateBatches: 4,
    };
    const plan = campaignPlanSchema.parse({ ...smallest, training });
    expect(plan.training.optimizer).toMatchObject({ beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 });
    expect(plan.training.schedule).toEqual({ kind: 'polynomial', power: 0.9, warmUp: { steps: 5, startFactor: 0.01 } });
    expect(campaignPlanSchema.parse(withOptimizer({ kind: 'lamb' })).training.optimizer).toMatchObject({ epsilon: 1e-6 });
  });

  it('trains a universal model with an optimizer that suits its losses, and Models Genesis as before', () => {
    const universal = {
      model: { architecture: 'universal-model', scales: 0, modalities: 0 },
      objective: { kind: 'universal-model', scaleWeight: 0, adversary: { mode: 'none' } },
    };
    const trainingOf = (changes: object) => campaignPlanSchema.parse({ ...smallest, ...changes }).training;
    expect(trainingOf({})).toMatchObject({ optimizer: { kind: 'sgd', learningRate: 0.1 }, batchSize: 2 });
    expect(trainingOf(universal)).toMatchObject({ optimizer: { kind: 'adam', learningRate: 0.001 }, batchSize: 12 });
    const own = { steps: 3, optimizer: { kind: 'sgd', learningRate: 0.01 }, batchSize: 4 };
    expect(trainingOf({ ...universal, training: own })).toMatchObject(own);
  });

  it('means what it meant before, to the digest, while it uses nothing new', () => {
    const { training } = campaignPlanSchema.parse(smallest);
    expect(Object.keys(training).sort()).toEqual(['batchSize', 'checkpointEverySteps', 'optimizer', 'steps']);
    expect(Object.keys(campaignPlanSchema.parse(withOptimizer({ kind: 'adam' })).training.optimizer).sort()).toEqual([
      'beta1',
      'beta2',
      'epsilon',
      'kind',
      'learningRate',
    ]);
  });

  it('refuses a misspelt field instead of ignoring it', () => {
    expect(errorOf({ ...smallest, deadlin: '2h' }).message).toContain('deadlin');
  });
});

describe('messages', () => {
  it('carry the transformations of the published second generation by default', () => {
    expect(genesisTransformsSchema.parse({})).toMatchObject({
      shuffleBlocks: 10_000,
      nonlinearProbability: 0.9,
      outPaintShare: 0.8,
    });
  });

  it('refuse an extra field, so that nothing rides along', () => {
    const score = { restorationError: 0.1, constantError: 0.2, skill: 0.5, patches: 4 };
    const report = { steps: 1, patches: 2, meanLoss: 0.1, lastLoss: 0.1, trainingMs: 5, volumes: 1, baseScore: score };
    expect(updateReportSchema.safeParse(report).success).toBe(true);
    expect(updateReportSchema.safeParse({ ...report, fileName: 'x.nii' }).success).toBe(false);
    expect(updateReportSchema.safeParse({ ...report, meanLoss: NaN }).success).toBe(false);
    expect(assignmentSchema.safeParse({ kind: 'dance' }).success).toBe(false);
  });

  it('use names that are safe in paths and terminals', () => {
    for (const bad of ['', '.hidden', 'a/b', 'a b', 'x'.repeat(65), 'ü']) expect(nameField.safeParse(bad).success).toBe(false);
    expect(nameField.safeParse('Site_A-1.2').success).toBe(true);
  });
});
