import { z } from 'zod';
import { preparationPlanSchema } from '@consilium/shared/wire';

export const modalityField = z.enum(['CT', 'MR']);

const preparation = preparationPlanSchema.shape;

/** One number stands for all three. */
const spacingSchema = z.preprocess(
  (given) => (typeof given === 'number' ? [given, given, given] : given),
  preparation.spacingMm.unwrap(),
);

/** How images become what the network sees. A model that was trained on a task keeps these fields. */
export const imagePlanSchema = z.strictObject({
  modality: modalityField.optional().describe("of all images; from each one's header or values when left out"),
  spacingMm: spacingSchema
    .optional()
    .describe("images are resampled to this spacing and answers back; each scan's own grid when left out"),
  ctWindowHu: preparation.ctWindowHu.unwrap().optional().describe('Hounsfield units that become 0 and 1'),
  percentiles: preparation.percentiles.unwrap().optional().describe('of the non-zero voxels of MR, which become 0 and 1'),
});
export type ImagePlan = z.infer<typeof imagePlanSchema>;

/** Only the fields that are stated, so that a task or a model without one does not tell of it. */
export function imagePlanOf(fields: ImagePlan): ImagePlan {
  const { modality, spacingMm, ctWindowHu, percentiles } = fields;
  return {
    ...(modality && { modality }),
    ...(spacingMm && { spacingMm }),
    ...(ctWindowHu && { ctWindowHu }),
    ...(percentiles && { percentiles }),
  };
}
