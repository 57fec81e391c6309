import { z } from 'zod';

const millimetres = z.number().min(0.05).max(100);

/** How a volume becomes normalised voxels; whatever is left out stays as the published methods have it. */
export const preparationPlanSchema = z.strictObject({
  spacingMm: z
    .tuple([millimetres, millimetres, millimetres])
    .optional()
    .describe('resample to this spacing along x, y, z; the scan’s own grid when left out'),
  interpolation: z
    .enum(['trilinear', 'cubic'])
    .default('trilinear')
    .describe('along axes that get finer; axes that get coarser are averaged'),
  intensity: z
    .enum(['window', 'z-score'])
    .default('window')
    .describe('window: 0…1 by the CT window or the MR percentiles; z-score: percentiles, then mean 0 and deviation 1'),
  ctWindowHu: z
    .tuple([z.number(), z.number()])
    .refine(([low, high]) => low < high, 'the window must rise')
    .default([-1000, 1000])
    .describe('Hounsfield units that become 0 and 1'),
  percentiles: z
    .tuple([z.number().min(0).max(100), z.number().min(0).max(100)])
    .refine(([low, high]) => low < high, 'the percentiles must rise')
    .default([0.5, 99.5])
    .describe('of the non-zero voxels of an MR volume, which become 0 and 1; of all voxels before a z-score'),
  cropMarginMm: z
    .number()
    .min(0)
    .max(1000)
    .optional()
    .describe('cut the air around the body away but for this margin; nothing is cut when left out'),
  elementType: z.enum(['f32', 'f16']).default('f32').describe('of the prepared voxels on disk; f16 halves the space'),
});
export type PreparationPlan = z.infer<typeof preparationPlanSchema>;

const side = z.number().positive().max(1024);

/**
 * Crops of several sizes, each resized to the patch (the "scales" of Universal Model, SAR). They are drawn equally often; the
 * position in the list is the label of the scale.
 */
export const scalesPlanSchema = z.strictObject({
  unit: z.enum(['voxels', 'millimetres']).default('voxels'),
  sizes: z
    .array(z.tuple([side, side, side]))
    .min(1)
    .max(16)
    .default([
      [128, 128, 64],
      [64, 64, 32],
      [32, 32, 16],
    ])
    .describe('sides of the crops along x, y, z, the largest first'),
  leastShare: z
    .number()
    .gt(0)
    .max(1)
    .default(0.75)
    .describe('of a crop’s x and y sides that a volume must have, or it is not drawn at this scale'),
});
export type ScalesPlan = z.infer<typeof scalesPlanSchema>;
