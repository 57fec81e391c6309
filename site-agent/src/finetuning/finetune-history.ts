import { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';
import { digestField } from '@consilium/shared/wire';
import { readRecord, writeRecord } from '../training/round-folder.js';

const validationSchema = z.object({
  step: z.int().min(1),
  loss: z.number(),
  /** Of a segmentation. */
  dice: z.number().optional(),
  /** Of a classification; null when the validation cases show one class only. */
  auc: z.number().nullable().optional(),
  accuracy: z.number().optional(),
  trainingLoss: z.number().nullable(),
  learningRate: z.number(),
  /** Training loss summed from the first step, for the next mean. */
  lossSum: z.number(),
});

/** One look at the validation cases; `learningRate` is the one that led there. */
export type Validation = z.infer<typeof validationSchema>;

/** What a validation measures, by the kind of task. */
export type ValidationScores = Pick<Validation, 'loss' | 'dice' | 'auc' | 'accuracy'>;

const score = z.number().nullable();

const outcomeSchema = z.object({
  steps: z.int(),
  stopped: z.enum(['steps', 'early-stop']),
  bestStep: z.int(),
  bestValidationLoss: score,
  bestValidationDice: score,
  bestValidationAuc: score.default(null),
  bestValidationAccuracy: score.default(null),
  meanLoss: z.number(),
  trainingMs: z.number(),
  digest: digestField,
  bytes: z.int(),
  /** The most memory that the training process held. */
  peakResidentBytes: z.number().optional(),
});
export type FinetuneOutcome = z.infer<typeof outcomeSchema>;

/** history.json: the course of one fine-tuning, and its outcome once there is one. */
const historySchema = z.object({
  task: z.string(),
  /** Names what is trained; a history of other work is not continued. */
  work: digestField,
  startedFrom: z.string(),
  loadedParameters: z.array(z.string()),
  freshParameters: z.array(z.string()),
  validations: z.array(validationSchema),
  outcome: outcomeSchema.nullable(),
});
export type FinetuneHistory = z.infer<typeof historySchema>;

/**
 * The history of this very work, or undefined. Throws NAME_TAKEN when the file tells of other, finished work, whose model
 * would be overwritten.
 */
export async function readHistory(path: string, work: string): Promise<FinetuneHistory | undefined> {
  const history = await readRecord(path, historySchema);
  if (history === undefined || history.work === work) return history;
  if (history.outcome === null) return undefined;
  throw new FederationError('NAME_TAKEN', `the output folder holds a model of another fine-tuning, of the task ${history.task}`, {
    remedy: 'Name another folder with --output, or delete that one first.',
  });
}

export async function writeHistory(path: string, history: FinetuneHistory): Promise<void> {
  await writeRecord(path, history);
}
