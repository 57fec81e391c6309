/** A folder that "finetune" wrote for a task with folds: a model for each fold and none of its own. */
import { existsSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { finetuneFolder, foldFolder, foldsWithin } from '../finetuning/tasks/finetune-folder.js';
import type { FinetuneTask } from '../finetuning/tasks/finetune-task.js';
import { modelFileAt } from '../finetuning/answers/model-file.js';
import { readFinetuneTask } from '../finetuning/tasks/task-file.js';

export interface FoldsFolder {
  readonly task: FinetuneTask;
  /** All of the task's folds, counted from 1. */
  readonly folds: readonly number[];
}

export async function isFoldsFolder(location: string): Promise<boolean> {
  return foldsWithin(location).length > 0 && (await modelFileAt(location)) === undefined;
}

/** NOT_FOUND while a fold is missing: what comes of the others would pass for the whole. */
export async function openFoldsFolder(folder: string): Promise<FoldsFolder> {
  const { taskFile } = finetuneFolder(folder);
  if (!existsSync(taskFile)) throw noTaskOfFolds(folder);
  const task = readFinetuneTask(taskFile, 'scoring');
  if (task.folds === undefined) throw noTaskOfFolds(folder);
  const folds = Array.from({ length: task.folds.count }, (_, index) => index + 1);
  for (const fold of folds) {
    if ((await modelFileAt(foldFolder(folder, fold))) !== undefined) continue;
    throw new FederationError('NOT_FOUND', `fold ${fold} of ${folds.length} has no model yet in ${folder}`, {
      remedy: `Train it: site-agent finetune TASK.yaml --fold ${fold}, with the --output of the others.`,
    });
  }
  return { task, folds };
}

function noTaskOfFolds(folder: string): FederationError {
  return new FederationError('NOT_FOUND', `there is no task.yaml with folds above those in ${folder}`, {
    remedy: 'Give the "finetune" command of these folds again: finished folds are not trained again, and it writes the file.',
  });
}
