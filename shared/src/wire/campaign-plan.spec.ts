import { campaignPlanSchema } from './campaign-plan.js';

const plan = (model: object) => campaignPlanSchema.safeParse({ name: 'lungs', model, training: { steps: 1 }, rounds: 1 });

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
});
