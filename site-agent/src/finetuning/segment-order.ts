/** Segmentation of whole volumes in the trainer process, for "predict" (masks) and "evaluate" (overlap with labels). */
import { dirname } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type { OrderContext } from '../trainer/order-context.js';
import type { SegmentedImage, SegmentOrder, SegmentResult } from '../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../trainer/trainer-runtime.js';
import { Learner } from '../training/learner.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import { writeNiftiLike } from '../volumes/nifti/nifti-writer.js';
import { readVolume } from '../volumes/read-volume.js';
import type { Volume } from '../volumes/volume.js';
import { findCaseScan, frameNote } from './case-scan.js';
import { makeFolder } from './finetune-folder.js';
import type { ImageToSegment } from './image-to-segment.js';
import { toClassMap, toLabelValues } from './labelled-case.js';
import { matchLabel } from './match-label.js';
import { classMapOf, countOverlap, type OverlapCounts } from './metrics.js';
import { readModelFile, requireSegmentation, type SegmentationFacts } from './model-file.js';
import { onOwnGrid, prepareImage } from './prepare-image.js';
import { segment } from './validate-cases.js';

/** Segments one image after the other. An image that cannot be used is reported with its reason and does not stop the rest. */
export async function executeSegment(order: SegmentOrder, context: OrderContext): Promise<SegmentResult> {
  const model = await readModelFile(order.modelPath);
  const facts = requireSegmentation(model);
  const learner = Learner.create({ runtime: openTrainerRuntime(order.limits, context), spec: model.spec });
  try {
    learner.loadWeights(model.weights);
    const images: SegmentedImage[] = [];
    for (const [index, image] of order.images.entries()) {
      obeyStop(context.stop);
      images.push(await segmentImage(learner, image, facts, context));
      context.report('segmenting', index + 1, order.images.length);
      await letEventsIn();
    }
    return { kind: 'segment', images };
  } finally {
    learner.dispose();
  }
}

async function segmentImage(
  learner: Learner,
  image: ImageToSegment,
  facts: SegmentationFacts,
  context: Pick<OrderContext, 'warn'>,
): Promise<SegmentedImage> {
  try {
    const scan = image.scan ?? (await findCaseScan(image.choice));
    const volume = await readVolume(scan.source);
    const { fromOwn, ...prepared } = prepareImage(volume, scan.modality, facts);
    const note = frameNote(image.name, scan, image.choice.frame);
    if (note !== undefined) context.warn(note);
    const classes = facts.classes.length;
    const classMap = classMapOf(onOwnGrid(segment(learner, prepared, facts.patchSizeVoxels, classes), fromOwn, classes), classes);
    const counts = await compare(image, volume, classMap, facts);
    if (image.maskPath !== undefined) await writeMask(image.maskPath, volume, toLabelValues(classMap, facts.classes));
    const foregroundVoxels = facts.classes.map((_, index) =>
      classMap.reduce((sum, value) => sum + (value === index + 1 ? 1 : 0), 0),
    );
    const voxelMm3 = volume.spacingMm.reduce((product, side) => product * side, 1);
    return { name: image.name, maskPath: image.maskPath, counts, foregroundVoxels, voxelMm3 };
  } catch (thrown) {
    const error = FederationError.from(thrown);
    if (error.kind !== 'volume' && error.code !== 'TASK_INVALID') throw error;
    return { name: image.name, refused: { code: error.code, message: error.message } };
  }
}

async function writeMask(path: string, volume: Volume, values: Uint8Array): Promise<void> {
  await makeFolder(dirname(path));
  await writeNiftiLike(path, volume, values);
}

async function compare(
  { name, labelPath }: ImageToSegment,
  volume: Volume,
  classMap: Uint8Array,
  { classes }: SegmentationFacts,
): Promise<OverlapCounts[] | undefined> {
  if (labelPath === undefined) return undefined;
  const label = await readNiftiVolume(labelPath);
  const labels = matchLabel(volume, label, { name, label: labelPath });
  return countOverlap(classMap, toClassMap(labels, classes), classes.length);
}
