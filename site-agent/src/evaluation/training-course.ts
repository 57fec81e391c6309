import { z } from 'zod';
import { finetuneFolder } from '../finetuning/tasks/finetune-folder.js';
import { readRecord } from '../training/round-folder.js';

/** The part of history.json that reports draw; what else stands there is training's own affair. */
const courseSchema = z.looseObject({
  startedFrom: z.string().optional(),
  validations: z.array(
    z.looseObject({
      step: z.number(),
      loss: z.number(),
      trainingLoss: z.number().nullable(),
      dice: z.number().nullish(),
      auc: z.number().nullish(),
      accuracy: z.number().nullish(),
    }),
  ),
});
export type TrainingCourse = z.infer<typeof courseSchema>;

/** How a model was trained, and its scratch run beside it. */
export interface RunCourse {
  /** Of several folds, which. */
  readonly fold?: number | undefined;
  /** Undefined where there is no history that reads. */
  readonly model: TrainingCourse | undefined;
  readonly scratch: TrainingCourse | undefined;
}

/** From the history files in the folders of the two runs. */
export async function readRunCourse(folder: string, scratchFolder: string | undefined, fold?: number): Promise<RunCourse> {
  const scratch = scratchFolder === undefined ? undefined : await readCourse(scratchFolder);
  return { fold, model: await readCourse(folder), scratch };
}

/** "scratch", or the digest of the model that all runs started from; null where their histories do not tell one and the same. */
export function startOf(courses: readonly RunCourse[]): string | null {
  const [start, ...others] = new Set(courses.map(({ model }) => model?.startedFrom));
  return others.length === 0 ? (start ?? null) : null;
}

function readCourse(folder: string): Promise<TrainingCourse | undefined> {
  return readRecord(finetuneFolder(folder).historyFile, courseSchema);
}
