import { z } from 'zod';

const ignoreLabel = z.int().optional().describe('voxels with this label do not count');
const classWeights = z
  .array(z.number().min(0))
  .min(1)
  .optional()
  .describe('one factor per class, background first; 1 by default');
const gamma = z.number().min(0).default(2).describe('how fast the loss fades for voxels that are right already');
const weight = z.number().min(0).default(1);
const background = z.boolean().default(false).describe('true: class 0 counts like the others');
const smoothing = z.number().min(0).default(1e-5);
const over = z.enum(['batch', 'example']).default('batch').describe('Dice sums over the whole batch, or of each example');

/** A loss as a plan writes it: its kind, and options where it has some. */
export const lossPlanSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['mse', 'mse-linear', 'l1', 'bce', 'dice', 'dice-bce']) }),
  z.strictObject({ kind: z.literal('focal'), gamma, alpha: z.number().min(0).max(1).nullable().default(0.25) }),
  z.strictObject({ kind: z.literal('cross-entropy'), classWeights, ignoreLabel }),
  z.strictObject({ kind: z.literal('softmax-focal'), gamma, classWeights, ignoreLabel }),
  z.strictObject({ kind: z.literal('softmax-dice'), background, smoothing, over, ignoreLabel }),
  z.strictObject({
    kind: z.literal('dice-ce'),
    background,
    smoothing,
    over,
    classWeights,
    ignoreLabel,
    diceWeight: weight,
    crossEntropyWeight: weight,
  }),
]);
/** As a human writes it: defaults left out. */
export type LossChoice = z.input<typeof lossPlanSchema>;

export type LossName = LossChoice['kind'];
