import { FederationError } from '@consilium/shared/kernel';
import { digestField, monitorsSchema, probeScoreSchema } from '@consilium/shared/wire';
import { z } from 'zod';
import { readRecord } from '../training/round-folder.js';

const validationSchema = z.object({
  step: z.int().min(1),
  /** Epochs done, with a fraction where training ended within one. */
  epoch: z.number(),
  /** Mean squared error over all voxels of the validation pairs. */
  loss: z.number(),
  /** Mean over the steps since the validation before; of a universal model the weighted sum with its heads. */
  trainingLoss: z.number().nullable(),
  /** The one that led there. */
  learningRate: z.number(),
  /** Training loss summed from the first step, for the next mean. */
  lossSum: z.number(),
  trainingMs: z.number(),
  score: probeScoreSchema,
  /** Of a universal model, on the same pairs. */
  monitors: monitorsSchema.optional(),
});

/** One look at the validation pairs. */
export type PretrainValidation = z.infer<typeof validationSchema>;

const volumesSchema = z.object({ train: z.int(), validation: z.int(), ct: z.int(), mr: z.int() });

const outcomeSchema = z.object({
  steps: z.int(),
  epochs: z.number(),
  stopped: z.enum(['steps', 'minutes', 'early-stop']),
  /** Whose weights the model has; the last step without validation. */
  bestStep: z.int(),
  bestValidationLoss: z.number().nullable(),
  /** Of these weights on the validation pairs. */
  score: probeScoreSchema.nullable(),
  /** Of these weights, of a universal model with validation. */
  monitors: monitorsSchema.optional(),
  /** Whether it restores clearly better than a constant grey, or some groups of voxels alone; null without validation. */
  learned: z.enum(['no', 'partly', 'yes']).nullable(),
  meanLoss: z.number(),
  trainingMs: z.number(),
  waitedMs: z.number(),
  digest: digestField,
  bytes: z.int(),
  /** The most memory that the training process held. */
  peakResidentBytes: z.number().optional(),
});
export type PretrainOutcome = z.infer<typeof outcomeSchema>;

/** history.json: the course of one pretraining, and its outcome once there is one. */
const historySchema = z.object({
  recipe: z.string(),
  /** Names what is trained; a history of other work is not continued. */
  work: digestField,
  /** The start model's digest, or "scratch". */
  startedFrom: z.string(),
  volumes: volumesSchema,
  stepsPerEpoch: z.int(),
  totalSteps: z.int(),
  validations: z.array(validationSchema),
  outcome: outcomeSchema.nullable(),
});
export type PretrainHistory = z.infer<typeof historySchema>;

/**
 * The history of this very work, or undefined. Throws NAME_TAKEN when the file tells of other, finished work, whose model
 * would be overwritten.
 */
export async function readPretrainHistory(path: string, work: string): Promise<PretrainHistory | undefined> {
  const history = await readRecord(path, historySchema);
  if (history === undefined || history.work === work) return history;
  if (history.outcome === null) return undefined;
  throw new FederationError(
    'NAME_TAKEN',
    `the output folder holds a model of another pretraining, of the recipe ${history.recipe}`,
    {
      remedy: 'Name another folder with --output, or delete that one first.',
    },
  );
}
