import { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';
import { digestField } from '@consilium/shared/wire';
import { readRecord } from '../training/round-folder.js';

const branchSchema = z.object({
  name: z.string(),
  /** Steps of this collection so far. */
  turns: z.int(),
  /** Mean over its turns since the look before; null when it had none. */
  trainingLoss: z.number().nullable(),
  dice: z.number().nullable(),
  classes: z.array(z.object({ name: z.string(), dice: z.number() })),
});

const lookSchema = z.object({
  step: z.int().min(1),
  learningRate: z.number(),
  /** Mean over the collections that have validation cases. */
  meanDice: z.number().nullable(),
  collections: z.array(branchSchema),
});
/** One look at all collections; `learningRate` is the one that led there. */
export type Look = z.infer<typeof lookSchema>;

const outcomeSchema = z.object({
  steps: z.int(),
  /** The step whose encoder is the result. */
  bestStep: z.int(),
  bestMeanDice: z.number().nullable(),
  trainingMs: z.number(),
  digest: digestField,
  bytes: z.int(),
  peakResidentBytes: z.number().optional(),
});
export type PretrainingOutcome = z.infer<typeof outcomeSchema>;

const spacingField = z.tuple([z.number(), z.number(), z.number()]).nullable();

const historySchema = z.object({
  recipe: z.string(),
  /** Names what is trained; a history of other work is not continued. */
  work: digestField,
  startedFrom: z.string(),
  loadedParameters: z.int(),
  collections: z.array(
    z.object({ name: z.string(), train: z.int(), validation: z.int(), classes: z.array(z.string()), spacingMm: spacingField }),
  ),
  looks: z.array(lookSchema),
  outcome: outcomeSchema.nullable(),
});
/** history.json: the course of one supervised pretraining, and its outcome once there is one. */
export type PretrainingHistory = z.infer<typeof historySchema>;

/**
 * The history of this very work, or undefined. Throws NAME_TAKEN when the file tells of other, finished work, whose model
 * would be overwritten.
 */
export async function readPretrainingHistory(path: string, work: string): Promise<PretrainingHistory | undefined> {
  const history = await readRecord(path, historySchema);
  if (history === undefined || history.work === work) return history;
  if (history.outcome === null) return undefined;
  throw new FederationError('NAME_TAKEN', `the output folder holds a model of another pretraining, ${history.recipe}`, {
    remedy: 'Name another folder with --output, or delete that one first.',
  });
}

/** The look with the highest mean Dice, the first of equal ones; undefined without validation cases. */
export function bestLook(looks: readonly Look[]): (Look & { readonly meanDice: number }) | undefined {
  return looks
    .flatMap((look) => (look.meanDice === null ? [] : [{ ...look, meanDice: look.meanDice }]))
    .reduce<(Look & { readonly meanDice: number }) | undefined>(
      (best, look) => (best === undefined || look.meanDice > best.meanDice ? look : best),
      undefined,
    );
}
