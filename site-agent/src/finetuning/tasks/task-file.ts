import { namesOfImages } from './case-names.js';
import { dirname, resolve } from 'node:path';
import { stringify as stringifyYaml } from 'yaml';
import { z } from 'zod';
import { FederationError } from '@consilium/shared/kernel';
import { type ClassificationFile, classificationFileSchema, type ClassificationTask } from './classification-task.js';
import { byList, casesOfFold, type DividedCase, holdOut, requireDistinctCases } from './divide-cases.js';
import type { CasesOf } from './finetune-case.js';
import { type FinetuneTask, requireSegmentationTask } from './finetune-task.js';
import { imagePlanOf } from './image-plan.js';
import { listCases, type ListedCase } from './list-cases.js';
import { classificationCase, segmentationCase } from './resolve-cases.js';
import { byShape } from './schema-by-shape.js';
import { type SegmentationFile, segmentationFileSchema, type SegmentationTask } from './segmentation-task.js';
import { resolveStartName } from './start-name.js';
import { checkDocument, readDocument } from './task-document.js';
import type { Modality } from '../../volumes/volume.js';

export { SCRATCH } from './finetune-case.js';
export { caseName } from './folder-pairs.js';

const KIND = z.looseObject({ kind: z.enum(['segmentation', 'classification']) });

const taskFileSchema = byShape<SegmentationFile | ClassificationFile>((given) => {
  const { data, success } = KIND.safeParse(given);
  if (!success) return KIND.transform((): never => z.NEVER);
  return data.kind === 'classification' ? classificationFileSchema : segmentationFileSchema;
});

/** What a task is read for. Only training needs the start, which may be long gone; scoring needs no training case either. */
export type TaskUse = 'training' | 'checking' | 'scoring';

/**
 * Reads a fine-tuning task file (YAML or JSON): checks every field, resolves paths against the file's own folder and makes
 * sure that each named file exists; a pin or a version under `start.from` stays as it is. Throws TASK_INVALID naming file, line and
 * field, NOT_FOUND when the task file is absent.
 */
export function readFinetuneTask(path: string, use: TaskUse = 'training'): FinetuneTask {
  const folder = dirname(resolve(path));
  const document = readDocument(path, 'task file');
  const fields = checkDocument(taskFileSchema, document);
  const listed = listCases(fields, document, folder);
  requireModality(fields.modality, listed);
  if (use !== 'scoring') requireThaw(fields.training);
  const names = namesOfImages(listed.map(({ entry, folder }) => resolve(folder, entry.image)));
  const shared = {
    name: fields.name,
    ...imagePlanOf(fields),
    ...(fields.folds && { folds: fields.folds }),
    start:
      use === 'training' ? { ...fields.start, from: resolveStartName(fields.start.from, folder, 'start.from') } : fields.start,
    patchSizeVoxels: fields.patchSizeVoxels,
  };
  if (fields.kind === 'segmentation') {
    const { kind, classes, model, training } = fields;
    const cases = divide({ ...fields, use }, listed, (entry) => segmentationCase(entry, names));
    return { ...shared, kind, classes, cases, model, training };
  }
  const { kind, classes, input, fit, model, training } = fields;
  const cases = divide({ ...fields, use }, listed, (entry) => classificationCase(entry, fields, names));
  return { ...shared, kind, classes, cases, input, fit, model, training };
}

/** As {@link readFinetuneTask}, of a task that must be a segmentation. */
export function readTaskFile(path: string): SegmentationTask {
  return requireSegmentationTask(readFinetuneTask(path));
}

function requireModality(ofAll: Modality | undefined, listed: readonly ListedCase[]): void {
  const other = listed.find(({ entry: { modality } }) => modality !== undefined && ofAll !== undefined && modality !== ofAll);
  if (other !== undefined) {
    const remedy = 'Leave the modality of the task out where its images have several.';
    throw wrong(`${other.place}: modality: ${other.entry.modality}, but the task says ${ofAll} of all images`, remedy);
  }
}

/** What never thaws is a linear probe under another name. */
function requireThaw({ mode, steps }: FinetuneTask['training']): void {
  if (mode.kind !== 'frozen-then-unfrozen' || mode.frozenSteps < steps) return;
  throw wrong(
    `training.mode.frozenSteps: ${mode.frozenSteps} steps are frozen and there are ${steps} in all: nothing would ever thaw`,
    'Give fewer frozenSteps or more steps; "mode: linear-probe" trains the new layers alone.',
  );
}

type Division = Pick<SegmentationFile, 'folds' | 'holdOut'> & { readonly use: TaskUse };

/**
 * The cases in their lists. TASK_INVALID when a list is neither divided nor to be divided, and when lists overlap. For scoring alone, a
 * list that is not divided is one of test cases.
 */
function divide<Case extends DividedCase>(
  { folds, holdOut: shares, use }: Division,
  listed: readonly ListedCase[],
  resolveCase: (entry: ListedCase) => Case,
): CasesOf<Case> {
  const undivided = listed.find(({ list }) => list === undefined);
  const divided = listed.find(({ list }) => list !== undefined);
  if (divided !== undefined && undivided !== undefined) {
    throw wrong(`${undivided.place}: it does not say train, validation or test, as others do`, 'Give every case its list.');
  }
  if (divided !== undefined && (folds !== undefined || shares !== undefined)) {
    const field = folds === undefined ? 'holdOut' : 'folds';
    throw wrong(
      `${field}: the cases are divided already: ${divided.place}`,
      `Leave "${field}" out, or give one list of all cases.`,
    );
  }
  const isWhole = folds === undefined && shares === undefined;
  if (undivided !== undefined && isWhole && use !== 'scoring') {
    throw wrong(
      'cases: the list does not say who is trained on and who is tested',
      'Add "holdOut: {}" or "folds: { count: 5 }".',
    );
  }
  const cases = listed.map((entry) => ({ list: entry.list, found: resolveCase(entry) }));
  const all = cases.map(({ found }) => found);
  const lists = divided ? byList(cases) : shares ? holdOut(all, shares) : wholeList(all, folds === undefined ? 'test' : 'train');
  if (lists.train.length === 0 && use !== 'scoring') {
    throw wrong('cases.train: at least one training case is needed', 'Put cases into the list train.');
  }
  requireDistinctCases(lists);
  // Every fold is made once, so that too few patients are told now and not after hours.
  if (folds !== undefined) casesOfFold(all, folds, 1);
  return lists;
}

function wholeList<Case>(all: readonly Case[], list: 'train' | 'test'): CasesOf<Case> {
  return { train: [], validation: [], test: [], [list]: all };
}

function wrong(message: string, remedy: string): FederationError {
  return new FederationError('TASK_INVALID', message, { remedy });
}

/** The task as the text of a task file with absolute paths: it reads back as the same task wherever it is put. */
export function describeTask(task: FinetuneTask): string {
  if (task.kind === 'segmentation') {
    const { cases, folds, ...rest } = task;
    return stringifyYaml(folds === undefined ? { ...rest, cases } : { ...rest, folds, cases: cases.train });
  }
  const { cases, folds, ...rest } = task;
  const named = ({ train, validation, test }: ClassificationTask['cases']) => ({
    train: train.map(withClassName(task)),
    validation: validation.map(withClassName(task)),
    test: test.map(withClassName(task)),
  });
  return stringifyYaml(folds === undefined ? { ...rest, cases: named(cases) } : { ...rest, folds, cases: named(cases).train });
}

function withClassName({ classes }: ClassificationTask) {
  return ({ classIndex, ...entry }: ClassificationTask['cases']['train'][number]) => ({
    ...entry,
    class: classes[classIndex]?.name,
  });
}
