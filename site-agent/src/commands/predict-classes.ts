import { basename, dirname, join, resolve } from 'node:path';
import { type Digest, FederationError } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import { describeScores, formatScores } from '../evaluation/image-scores.js';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import type { ImageToClassify } from '../finetuning/answers/image-to-classify.js';
import { ensembleDigest, requireOneTask } from '../finetuning/answers/model-ensemble.js';
import { type ModelFile, requireClassification } from '../finetuning/answers/model-file.js';
import { readSplitTable } from '../finetuning/tasks/split-table.js';
import { caseName } from '../finetuning/tasks/task-file.js';
import type { ClassifiedImage, RefusedAnswer, SegmentedImage, TrainerLimits } from '../trainer/trainer-messages.js';
import type { Modality } from '../volumes/volume.js';
import { type JsonChoice, showFigures } from './json-output.js';
import { openTrainerDesk } from './trainer-desk.js';

interface ClassPrediction {
  readonly images: readonly ImageToClassify[];
  /** What was found and cannot be used. */
  readonly others: readonly RefusedAnswer[];
}

/** Writes scores.csv into the output folder: a line for each image. */
export async function predictClasses(
  models: readonly ModelFile[],
  { images, others }: ClassPrediction,
  { output, json, limits }: { readonly output: string; readonly json?: JsonChoice; readonly limits: TrainerLimits },
): Promise<void> {
  const facts = requireOneTask(models, requireClassification);
  if (facts.input === 'patch' && images.some(({ centre }) => centre === undefined)) {
    throw new FederationError('ARGUMENT_INVALID', 'this model judges patches around given points', {
      remedy: 'Name a table of images and points with --points.',
    });
  }
  const modelPaths = models.map(({ path }) => path);
  const order = { kind: 'classify', limits, modelPaths, images, likeTrained: true } as const;
  const answers = images.length === 0 ? [] : (await openTrainerDesk().classify(order, 'classifying')).images;
  const scores = { ...modelsOf(models), classNames: facts.classes.map(({ name }) => name), images: [...answers, ...others] };
  const path = join(resolve(output), 'scores.csv');
  await makeFolder(resolve(output));
  await writeFileWhole(path, [Buffer.from(formatScores(scores))]);
  await showFigures(json, scores, () => describeScores(scores, path));
  requireSomeAnswer(scores.images);
}

/**
 * The images and points of a table with the columns image, i, j, k and, where wanted, name, series, frame and modality, which is
 * `usual` in rows that do not say; paths are relative to the table. Errors as in reading a split of cases.
 */
export function imagesAtPoints(table: string, usual?: Modality): ImageToClassify[] {
  return readSplitTable(table).map(({ row, place }) => {
    const { image, centre, series, frame, modality = usual } = row;
    if (centre === undefined) {
      throw new FederationError('TASK_INVALID', `${place}: it names no point`, {
        remedy: `Give ${basename(table)} the columns i, j, k.`,
      });
    }
    const path = resolve(dirname(table), image);
    return { name: row.name ?? `${caseName(path)}@${centre.join('-')}`, choice: { path, series, frame, modality }, centre };
  });
}

/** How figures name what answered. */
export function modelsOf(models: readonly ModelFile[]): { readonly model: Digest; readonly models: readonly Digest[] } {
  return { model: ensembleDigest(models), models: models.map(({ digest }) => digest) };
}

/** Throws VOLUME_UNSUITABLE when nothing came of any image. */
export function requireSomeAnswer(images: readonly (SegmentedImage | ClassifiedImage)[]): void {
  if (images.some((image) => !('refused' in image))) return;
  throw new FederationError('VOLUME_UNSUITABLE', 'no image could be used', {
    remedy: 'The reasons stand in the list above.',
  });
}
