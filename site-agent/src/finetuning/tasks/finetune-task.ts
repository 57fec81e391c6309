import { FederationError } from '@consilium/shared/kernel';
import type { ClassificationTask } from './classification-task.js';
import type { SegmentationTask } from './segmentation-task.js';

/** What a site can fine-tune a model for. */
export type FinetuneTask = SegmentationTask | ClassificationTask;

/** Of all lists. */
export function caseCount({ cases: { train, validation, test } }: FinetuneTask): number {
  return train.length + validation.length + test.length;
}

/** TASK_INVALID for another kind of task. */
export function requireSegmentationTask(task: FinetuneTask): SegmentationTask {
  if (task.kind === 'segmentation') return task;
  throw new FederationError('TASK_INVALID', `kind: the task ${task.name} is a ${task.kind}, not a segmentation`, {
    remedy: 'Name a task file for segmentation.',
  });
}
