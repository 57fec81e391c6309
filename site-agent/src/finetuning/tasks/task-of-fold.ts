/** The tasks that a task with folds stands for. */
import { FederationError } from '@consilium/shared/kernel';
import { casesOfFold } from './divide-cases.js';
import type { FinetuneTask } from './finetune-task.js';

/** The task of one fold, counted from 1: lists instead of folds. */
export function taskOfFold(task: FinetuneTask, k: number): FinetuneTask {
  const { folds, ...rest } = task;
  if (folds === undefined) return task;
  if (rest.kind === 'segmentation') return { ...rest, cases: casesOfFold(rest.cases.train, folds, k) };
  return { ...rest, cases: casesOfFold(rest.cases.train, folds, k) };
}

/** Looks at each task that is trained: those of all folds, or the task itself. What `look` throws then names the fold. */
export function lookAtTrainedTasks(task: FinetuneTask, look: (trained: FinetuneTask) => void): void {
  const count = task.folds?.count ?? 1;
  for (let fold = 1; fold <= count; fold++) {
    try {
      look(taskOfFold(task, fold));
    } catch (thrown) {
      if (task.folds === undefined) throw thrown;
      const { code, message, remedy } = FederationError.from(thrown);
      const more = `${remedy ?? ''} Another folds.seed or folds.count may divide the cases better.`.trim();
      throw new FederationError(code, `fold ${fold} of ${count}: ${message}`, { cause: thrown, remedy: more });
    }
  }
}
