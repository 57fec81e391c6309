import { campaignPlanSchema } from './campaign-plan.js';

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
