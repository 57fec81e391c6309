/** What a kind of task brings to the training: batches, a look at the validation cases, and what the model keeps of it. */
import { FederationError } from '@consilium/shared/kernel';
import type { OrderContext } from '../trainer/order-context.js';
import { voxelsOf } from '../training/batch-passes.js';
import type { BatchSource } from '../training/patch-batch.js';
import type { Modality } from '../volumes/volume.js';
import type { CaseStore } from './cases/case-store.js';
import { type ClassificationTask, outputsOf } from './tasks/classification-task.js';
import { validateImages } from './answers/classify-images.js';
import type { ValidationScores } from './finetune-history.js';
import type { FinetuneTask } from './tasks/finetune-task.js';
import { imagePlanOf } from './tasks/image-plan.js';
import { largestGridOf, occursIn } from './cases/kept-case.js';
import { requireEveryClass } from './cases/labelled-case.js';
import { loadCases } from './cases/load-cases.js';
import { type LabelledImage, loadImages } from './cases/load-images.js';
import { shareFloats } from './cases/shared-arrays.js';
import { openFinetuneFeed } from './finetune-feed.js';
import type { TaskFacts } from './answers/model-file.js';
import type { PhasedLearner } from './phased-learner.js';
import { leastVolumeBytes, passBytes } from './answers/segment-volume.js';
import type { SegmentationTask } from './tasks/segmentation-task.js';
import { validateCases } from './validate-cases.js';
import { remarkOnValidation } from './validation-cost.js';

export interface TaskData {
  /** Close it when done. */
  readonly source: BatchSource;
  /** Undefined without validation cases. */
  readonly validate: ((learner: PhasedLearner) => Promise<ValidationScores>) | undefined;
  /** What the largest validation case takes while it is answered for as a whole. */
  readonly validationBytes: number;
  /** What the training cases are. */
  readonly trainedOn: ReadonlySet<Modality>;
}

/** Where cases go that do not fit into memory, and the site's own limit of the process, if it set one. */
export interface DataPlace {
  readonly store: CaseStore;
  readonly limitBytes: number | undefined;
  /** Of TensorFlow; all cores when left out. */
  readonly threads: number | undefined;
}

/** Reads training and validation cases. TASK_INVALID names what cannot be used, or a class without a case. */
export async function loadTaskData(task: FinetuneTask, place: DataPlace, context: OrderContext): Promise<TaskData> {
  if (task.cases.validation.length === 0) {
    context.warn('the task lists no validation cases: the learning rate stays, nothing stops early, the last weights are kept');
  }
  return task.kind === 'segmentation' ? loadSegmentation(task, place, context) : loadClassification(task, place, context);
}

async function loadSegmentation(
  task: SegmentationTask,
  { store, limitBytes, threads }: DataPlace,
  context: OrderContext,
): Promise<TaskData> {
  const { patchSizeVoxels, training } = task;
  const classes = task.classes.length;
  const trainedOn = new Set<Modality>();
  const train = await loadCases(task.cases.train, task, context, { store, onModality: (modality) => trainedOn.add(modality) });
  requireEveryClass(task.classes, occursIn(train));
  const validation = await loadCases(task.cases.validation, task, context, { store, scored: true });
  const cost = remarkOnValidation(
    task,
    validation.map(({ sizeVoxels }) => sizeVoxels),
  );
  if (cost !== undefined) context.announce(`note: ${cost}`);
  const kept = await store.describe();
  if (kept !== undefined) context.announce(kept);
  const look = (learner: PhasedLearner): Promise<ValidationScores> =>
    validateCases(learner, validation, { patchSizeVoxels, classes, mostPassBytes: passBytes(limitBytes) }, context);
  return {
    source: openFinetuneFeed(
      { kind: 'patches', cases: train.map(({ handle }) => handle), plan: { patchSizeVoxels, classes, training } },
      threads,
    ),
    validate: validation.length === 0 ? undefined : look,
    validationBytes: Math.max(0, ...validation.map((kept) => leastVolumeBytes(largestGridOf(kept)))),
    trainedOn,
  };
}

async function loadClassification(task: ClassificationTask, { threads }: DataPlace, context: OrderContext): Promise<TaskData> {
  const { patchSizeVoxels, training, cases } = task;
  requireExamples(task);
  const train = await loadImages(cases.train, task, context);
  const validation = await loadImages(cases.validation, task, context);
  const shape = { patchSizeVoxels, outputs: outputsOf(task), classes: task.classes.length };
  return {
    source: openFinetuneFeed({ kind: 'images', images: train.map(inSharedMemory), plan: { patchSizeVoxels, training } }, threads),
    validate: validation.length === 0 ? undefined : (learner) => validateImages(learner, validation, shape, context),
    validationBytes: 0, // of images that are no larger than what the network sees
    trainedOn: new Set(train.map(({ modality }) => modality)),
  };
}

/** Values of one example's target. */
export function targetsPerExample(task: FinetuneTask): number {
  return task.kind === 'segmentation' ? voxelsOf(task.patchSizeVoxels) * task.classes.length : 1;
}

function inSharedMemory(image: LabelledImage): LabelledImage {
  return { ...image, intensities: shareFloats(image.intensities) };
}

/** TASK_INVALID when a class has no training case, or the validation cases cannot give what is watched. */
export function requireExamples({ classes, cases, training }: ClassificationTask): void {
  const missing = classes.find((_, index) => cases.train.every(({ classIndex }) => classIndex !== index));
  if (missing !== undefined) {
    throw new FederationError('TASK_INVALID', `classes: no training case is ${missing.name}`, {
      remedy: 'List a training case of each class, or take the class out.',
    });
  }
  const shown = new Set(cases.validation.map(({ classIndex }) => classIndex));
  if (training.watch === 'auc' && cases.validation.length > 0 && shown.size < 2) {
    throw new FederationError('TASK_INVALID', 'training.watch: the validation cases show one class only, they have no AUC', {
      remedy: 'List validation cases of two classes, or watch the loss.',
    });
  }
}

/** How the weights that a model keeps came about. */
export interface ModelOrigin extends Pick<TaskData, 'trainedOn'> {
  readonly startedFrom: string;
  readonly step: number;
  readonly reached: ValidationScores | undefined;
}

/** What the model keeps of its task, so that "predict" and "evaluate" need nothing but its file. */
export function factsOf(task: FinetuneTask, { trainedOn, startedFrom, step, reached }: ModelOrigin): TaskFacts {
  const shared = {
    task: task.name,
    ...imagePlanOf(task),
    ...(task.modality === undefined && { trainedOn: [...trainedOn].sort() }),
    patchSizeVoxels: [...task.patchSizeVoxels] as [number, number, number],
    startedFrom,
    step,
  };
  if (task.kind === 'segmentation') {
    return { segmentation: { ...shared, classes: [...task.classes], validationDice: reached?.dice } };
  }
  const { classes, input, fit } = task;
  const scores = { validationAuc: reached?.auc ?? undefined, validationAccuracy: reached?.accuracy };
  return { classification: { ...shared, classes: [...classes], input, fit, outputs: outputsOf(task), ...scores } };
}
