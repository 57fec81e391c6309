import { z } from 'zod';

/** How whole volumes are put together from patches; the same words as the options of "predict" and "evaluate". */
export const windowPlanSchema = z.strictObject({
  /** Share of a window that its neighbour along each axis covers too, at least. */
  overlap: z.number().min(0).lt(1).default(0.5),
  /** `gaussian`: a window's middle, which sees most around it, counts most; `mean`: all of it counts the same. */
  weighting: z.enum(['gaussian', 'mean']).default('gaussian'),
  /** The mean over all mirror images along these axes: two predictions for one axis, eight for three. */
  mirrorAxes: z.array(z.enum(['x', 'y', 'z'])).default([]),
});
export type WindowPlan = z.infer<typeof windowPlanSchema>;

export const USUAL_WINDOWS: WindowPlan = windowPlanSchema.parse({});
