import { z } from 'zod';
import { finetuneFolder } from '../finetuning/finetune-folder.js';
import { readRecord } from '../training/round-folder.js';

/** The part of history.json that reports draw; what else stands there is training's own affair. */
const courseSchema = z.looseObject({
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

/** Undefined where there is no history that reads. */
export function readCourse(folder: string): Promise<TrainingCourse | undefined> {
  return readRecord(finetuneFolder(folder).historyFile, courseSchema);
}
