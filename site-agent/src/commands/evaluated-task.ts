/** What is evaluated: a model, the test cases of its task, and the scratch run beside it. */
import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type { EvaluatedModel } from '../evaluation/evaluated-model.js';
import { seenCases } from '../finetuning/cases/seen-cases.js';
import { finetuneFolder } from '../finetuning/tasks/finetune-folder.js';
import type { FinetuneTask } from '../finetuning/tasks/finetune-task.js';
import {
  type ClassificationFacts,
  type ModelFile,
  readModelFile,
  requireClassification,
  requireSegmentation,
  type SegmentationFacts,
} from '../finetuning/answers/model-file.js';
import { readFinetuneTask } from '../finetuning/tasks/task-file.js';
import { completePlan } from '../preprocessing/prepare-volume.js';

export interface EvaluatedTask {
  readonly task: FinetuneTask;
  readonly model: EvaluatedModel;
  /** The scratch run that "finetune --compare-scratch" left beside the model. */
  readonly scratch: EvaluatedModel | undefined;
}

/**
 * The model with its own task, or that of `taskFile`. TASK_INVALID when task and model do not fit or the task lists no test case;
 * ARGUMENT_INVALID when there is no task.
 */
export async function openEvaluatedTask(model: ModelFile, taskFile: string | undefined): Promise<EvaluatedTask> {
  const task = readFinetuneTask(taskFile ?? ownTaskFile(model), 'scoring');
  requireSameClasses(task, model);
  requireSameImages(task, model);
  if (task.cases.test.length === 0) {
    throw new FederationError('TASK_INVALID', 'cases.test: the task lists no test case', {
      remedy: 'List labelled cases that the model was not trained on.',
    });
  }
  if (taskFile !== undefined) await requireUnseen(task, model);
  return { task, model: evaluated(model), scratch: await scratchBeside(model) };
}

/** Another task may list cases that the model was trained on. */
async function requireUnseen({ cases }: FinetuneTask, { path }: ModelFile): Promise<void> {
  const seen = await seenCases(path, cases.test);
  if (seen.length === 0) return;
  const some = seen.slice(0, 5).join(', ');
  const others = seen.length > 5 ? ` and ${seen.length - 5} more` : '';
  throw new FederationError('TASK_INVALID', `cases.test: the model was trained or validated on ${some}${others}`, {
    remedy: 'List cases that it has not seen: scores on others say nothing about new patients.',
  });
}

function evaluated({ path, digest }: ModelFile): EvaluatedModel {
  return { modelPath: resolve(path), digest, folder: dirname(resolve(path)) };
}

/** The scratch run that "finetune --compare-scratch" left beside the model. */
async function scratchBeside({ path }: ModelFile): Promise<EvaluatedModel | undefined> {
  const { modelFile } = finetuneFolder(finetuneFolder(dirname(path)).scratchFolder);
  return existsSync(modelFile) ? evaluated(await readModelFile(modelFile)) : undefined;
}

function ownTaskFile({ path }: ModelFile): string {
  const { taskFile } = finetuneFolder(dirname(path));
  if (existsSync(taskFile)) return taskFile;
  throw new FederationError('ARGUMENT_INVALID', 'there is no task file beside the model', {
    remedy: 'Name one: site-agent evaluate MODEL --task TASK.yaml',
  });
}

/** Scores mean nothing when output 1 is the liver for the model and the spleen for the task. */
function requireSameClasses(task: FinetuneTask, model: ModelFile): void {
  const { classes } = factsOf(task, model);
  const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(', ');
  if (names(classes) === names(task.classes)) return;
  throw new FederationError('TASK_INVALID', `classes: the task has ${names(task.classes)}, the model ${names(classes)}`, {
    remedy: 'Use a task with the same classes in the same order.',
  });
}

function factsOf(task: FinetuneTask, model: ModelFile): SegmentationFacts | ClassificationFacts {
  return task.kind === 'segmentation' ? requireSegmentation(model) : requireClassification(model);
}

/** The model's own way with images is used without being named; another one would be another model's score. */
function requireSameImages(task: FinetuneTask, model: ModelFile): void {
  const published = completePlan(undefined);
  const facts = factsOf(task, model);
  if (task.modality !== undefined && facts.modality !== undefined && task.modality !== facts.modality) {
    throw new FederationError(
      'TASK_INVALID',
      `modality: the task says ${task.modality}, the model reads ${facts.modality} only`,
      {
        remedy: `List ${facts.modality} scans, or fine-tune a model that is not told its modality.`,
      },
    );
  }
  for (const field of ['spacingMm', 'ctWindowHu', 'percentiles'] as const) {
    const [wanted, own] = [task[field], facts[field] ?? published[field]];
    if (wanted === undefined || wanted.join() === own?.join()) continue;
    const trained = own === undefined ? 'with none' : `with ${own.join(', ')}`;
    throw new FederationError('TASK_INVALID', `${field}: the task says ${wanted.join(', ')}, the model was trained ${trained}`, {
      remedy: `Leave ${field} out: the model knows its own.`,
    });
  }
}
