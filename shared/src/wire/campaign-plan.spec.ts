import { campaignPlanSchema, downloadsDeltas } from './campaign-plan.js';

const plan = (model: object, sizeVoxels = [64, 64, 32]) =>
  campaignPlanSchema.safeParse({ name: 'lungs', model, patch: { sizeVoxels }, training: { steps: 1 }, rounds: 1 });

describe('the network of a campaign', () => {
  it.each([{ architecture: 'genesis-unet3d' }, { architecture: 'residual-unet3d' }])(
    '$architecture restores patches',
    (model) => {
      expect(plan(model).success).toBe(true);
    },
  );

  it.each([{ architecture: 'medicalnet-resnet' }, { architecture: 'genesis-classifier' }])(
    '$architecture is refused: it has no answer per voxel',
    (model) => {
      expect(plan(model).error?.issues[0]?.path).toEqual(['model', 'architecture']);
    },
  );

  it('says what the sides of its patches must be multiples of', () => {
    expect(plan({ architecture: 'genesis-unet3d' }, [16, 8, 24]).success).toBe(true);
    expect(plan({ architecture: 'residual-unet3d' }, [64, 64, 48]).error?.issues[0]).toMatchObject({
      path: ['patch', 'sizeVoxels'],
      message: 'the sides must be multiples of 32, 32, 32 for this network',
    });
  });
});

describe('the preparation of a campaign', () => {
  const prepared = (patch: object) =>
    campaignPlanSchema.safeParse({
      name: 'lungs',
      model: { architecture: 'genesis-unet3d' },
      patch,
      training: { steps: 1 },
      rounds: 1,
    });

  it('leaves a plan that says nothing of it as it was, so that its digest stays', () => {
    expect(prepared({}).data?.patch).toEqual({ sizeVoxels: [64, 64, 32], minimumForeground: 0.1 });
  });

  it('fills in what is published', () => {
    expect(prepared({ preparation: { spacingMm: [1, 1, 1] }, scales: {} }).data?.patch).toMatchObject({
      preparation: { interpolation: 'trilinear', intensity: 'window', ctWindowHu: [-1000, 1000], percentiles: [0.5, 99.5] },
      scales: {
        unit: 'voxels',
        sizes: [
          [128, 128, 64],
          [64, 64, 32],
          [32, 32, 16],
        ],
        leastShare: 0.75,
      },
    });
  });

  it.each([
    [{ preparation: { intensity: 'z-score' } }, ['patch', 'preparation', 'intensity']],
    [{ preparation: { ctWindowHu: [100, 100] } }, ['patch', 'preparation', 'ctWindowHu']],
    [{ preparation: { spacingMm: [1, 0, 1] } }, ['patch', 'preparation', 'spacingMm', 1]],
    [{ preparation: { cropMargin: 3 } }, ['patch', 'preparation']],
    [{ scales: { sizes: [] } }, ['patch', 'scales', 'sizes']],
  ])('refuses %j', (patch, path) => {
    expect(prepared(patch).error?.issues[0]?.path).toEqual(path);
  });
});

describe('what stays at the sites', () => {
  const keeping = (siteLocal: string[], more: object = {}) =>
    campaignPlanSchema.safeParse({
      name: 'lungs',
      model: { architecture: 'genesis-unet3d' },
      training: { steps: 1 },
      rounds: 1,
      siteLocal,
      ...more,
    });

  it('may be the norms, or whatever patterns name', () => {
    expect(keeping(['norms']).success).toBe(true);
    expect(keeping(['norms', 'out.', 'e1.*.bias']).success).toBe(true);
  });

  it.each([
    [['norm'], ['siteLocal', 0]],
    [
      ['norms', 'decoder.'],
      ['siteLocal', 1],
    ],
    [['*'], ['siteLocal']],
  ])('is refused when it names nothing, or leaves nothing to learn together: %j', (siteLocal, path) => {
    expect(keeping(siteLocal).error?.issues.map((issue) => issue.path)).toEqual([path]);
  });
});

describe('the optimizer beside a recipe', () => {
  const plan = (kind: string, name: string) =>
    campaignPlanSchema.safeParse({
      name: 'lungs',
      model: { architecture: 'genesis-unet3d' },
      training: { steps: 1, optimizer: { kind, learningRate: 0.01 } },
      recipe: { name },
      rounds: 1,
    });

  it('is SGD with scaffold, any with the others', () => {
    expect(plan('sgd', 'scaffold').success).toBe(true);
    expect(plan('adam', 'fedprox').success).toBe(true);
    for (const kind of ['adam', 'adamw', 'lamb']) {
      expect(plan(kind, 'scaffold').error?.issues[0]?.path).toEqual(['training', 'optimizer', 'kind']);
    }
  });
});

describe('the way down', () => {
  const plan = (updates: object | undefined, name = 'fedavg') =>
    campaignPlanSchema.safeParse({
      name: 'lungs',
      model: { architecture: 'genesis-unet3d' },
      training: { steps: 1, optimizer: { kind: 'sgd', learningRate: 0.01 } },
      recipe: { name },
      updates,
      rounds: 1,
    });

  it.each<[object | undefined, string, boolean]>([
    [undefined, 'fedavg', false],
    [{ format: 'f32' }, 'fedavg', false],
    [{ format: 'f16' }, 'fedavg', true],
    [{ format: 'int8', download: 'delta' }, 'fedadam', true],
    [{ format: 'int8', download: 'whole' }, 'fedavg', false],
    [{ format: 'bf16' }, 'scaffold', false],
  ])('of %j with %s is by deltas: %s', (updates, recipe, expected) => {
    const { data } = plan(updates, recipe);
    expect(data && downloadsDeltas(data)).toBe(expected);
  });

  it.each([
    [{ format: 'f32', download: 'delta' }, 'fedavg'],
    [{ format: 'f16', download: 'delta' }, 'scaffold'],
  ])('is refused as %j with %s', (updates, recipe) => {
    expect(plan(updates, recipe).error?.issues.map(({ path }) => path)).toEqual([['updates', 'download']]);
  });
});

describe('a plan with a field that is wrong by itself', () => {
  it('is refused for that field, before anything is made of it', () => {
    // A network of such a spec has no parameters that later checks could look at.
    const wrong = { architecture: 'genesis-unet3d', norm: 'group', groups: 65 };
    const result = campaignPlanSchema.safeParse({
      name: 'lungs',
      model: wrong,
      siteLocal: ['norms'],
      training: { steps: 1 },
      rounds: 1,
    });
    expect(result.error?.issues.map(({ path }) => path)).toEqual([['model', 'groups']]);
  });
});
