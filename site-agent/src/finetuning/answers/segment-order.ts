/** Segmentation of whole volumes in the trainer process, for "predict" (masks) and "evaluate" (comparison with labels). */
import { FederationError } from '@consilium/shared/kernel';
import { countLegacy, type LegacyCounts } from '../../evaluation/metrics/legacy-genesis-iou.js';
import { countOverlap } from '../../evaluation/metrics/overlap.js';
import { surfaceDistances } from '../../evaluation/metrics/surface-distance.js';
import { type CalibrationSums, sumCalibration } from '../../evaluation/metrics/voxel-calibration.js';
import type { OrderContext } from '../../trainer/order-context.js';
import type { SegmentedImage, SegmentOrder, SegmentResult } from '../../trainer/trainer-messages.js';
import { openTrainerRuntime } from '../../trainer/trainer-runtime.js';
import { letEventsIn, obeyStop } from '../../training/train.js';
import { readNiftiLabels } from '../../volumes/nifti/nifti-volume.js';
import { readVolume } from '../../volumes/read-volume.js';
import type { Volume } from '../../volumes/volume.js';
import { findCaseScan, frameNote } from '../cases/case-scan.js';
import type { ImageToSegment } from './image-to-segment.js';
import { toClassMap } from '../cases/labelled-case.js';
import { matchLabel } from '../cases/match-label.js';
import { ensembleDigest, ModelEnsemble, requireOneTask } from './model-ensemble.js';
import { readModelFile, requireSegmentation, type SegmentationFacts } from './model-file.js';
import { prepareImage } from '../cases/prepare-image.js';
import { passBytes, segmentVolume } from './segment-volume.js';
import { requireTrainedModality } from './trained-modality.js';
import { pauseOf } from './window-pause.js';
import { USUAL_WINDOWS } from './window-plan.js';
import {
  type AlgorithmNote,
  type MaskSource,
  requireFormat,
  writeMask,
  writeOverlay,
  writeProbabilities,
} from './write-answers.js';

/** What all images of an order share. */
interface Segmentation {
  readonly facts: SegmentationFacts;
  readonly algorithm: AlgorithmNote;
  readonly segmenter: ModelEnsemble;
  readonly order: SegmentOrder;
  readonly context: OrderContext;
  /** See {@link pauseOf}. */
  readonly pause: (share: number) => Promise<void>;
}

/** Segments one image after the other. An image that cannot be used is reported with its reason and does not stop the rest. */
export async function executeSegment(order: SegmentOrder, context: OrderContext): Promise<SegmentResult> {
  const models = await Promise.all(order.modelPaths.map(readModelFile));
  const facts = requireOneTask(models, requireSegmentation);
  const algorithm = { task: facts.task, digest: ensembleDigest(models) };
  const segmenter = ModelEnsemble.create(models, openTrainerRuntime(order.limits, context));
  try {
    const images: SegmentedImage[] = [];
    for (const [index, image] of order.images.entries()) {
      obeyStop(context.stop);
      const pause = pauseOf(context, 'segmenting', { index, total: order.images.length });
      images.push(await orRefused(image, () => segmentImage(image, { facts, algorithm, segmenter, order, context, pause })));
      context.report('segmenting', index + 1, order.images.length);
      await letEventsIn();
    }
    return { kind: 'segment', images };
  } finally {
    segmenter.dispose();
  }
}

async function orRefused({ name }: ImageToSegment, act: () => Promise<SegmentedImage>): Promise<SegmentedImage> {
  try {
    return await act();
  } catch (thrown) {
    const error = FederationError.from(thrown);
    if (error.kind !== 'volume' && error.code !== 'TASK_INVALID') throw error;
    return { name, refused: { code: error.code, message: error.message, remedy: error.remedy } };
  }
}

async function segmentImage(
  image: ImageToSegment,
  { facts, algorithm, segmenter, order, context, pause }: Segmentation,
): Promise<SegmentedImage> {
  const { classes, patchSizeVoxels } = facts;
  const scan = image.scan ?? (await findCaseScan(image.choice));
  requireFormat(image, scan);
  const volume = await readVolume(scan.source);
  const labelled = await readLabel(image, volume);
  const note = frameNote(image.name, scan, image.choice.frame);
  if (note !== undefined) context.warn(note);
  const legacy: LegacyCounts[][] = [];
  const calibration: (CalibrationSums | null)[] = [];
  const probabilityPaths: string[] = [];
  const source: MaskSource = { image, scan, volume, algorithm, classes };
  const plan = {
    patchSizeVoxels,
    classes: classes.length,
    windows: order.windows ?? USUAL_WINDOWS,
    mostPassBytes: passBytes(order.limits.memoryBytes),
    pause,
  };
  const prepared = prepareImage(volume, scan.modality, facts);
  if (order.likeTrained === true) requireTrainedModality(prepared.modality, image.choice.modality, facts);
  const classMap = await segmentVolume(segmenter, prepared, plan, async (index, probabilities) => {
    if (order.legacy === true && labelled !== undefined) {
      legacy.push(countLegacy(probabilities, (voxel) => labelled[voxel] === index + 1));
    }
    if (labelled !== undefined) calibration.push(sumCalibration(probabilities, labelled, index + 1, volume.sizeVoxels));
    if (image.probabilityStem !== undefined) probabilityPaths.push(await writeProbabilities(source, index, probabilities));
  });
  await writeMask(source, classMap);
  await writeOverlay(source, prepared.modality, { predicted: classMap, labelled });
  return {
    name: image.name,
    maskPath: image.maskPath,
    probabilityPaths: image.probabilityStem === undefined ? undefined : probabilityPaths,
    counts: labelled && countOverlap(classMap, labelled, classes.length),
    surfaces: labelled && classes.map((_, index) => surfaceDistances(classMap, labelled, index + 1, volume)),
    calibration: labelled && calibration,
    legacy: order.legacy === true ? legacy : undefined,
    foregroundVoxels: classes.map((_, index) => classMap.reduce((sum, value) => sum + (value === index + 1 ? 1 : 0), 0)),
    voxelMm3: volume.spacingMm.reduce((product, side) => product * side, 1),
  };
}

async function readLabel({ name, label }: ImageToSegment, volume: Volume): Promise<Uint8Array | undefined> {
  if (label === undefined) return undefined;
  const labels = matchLabel(volume, await readNiftiLabels(label.path), { name, label: label.path });
  return toClassMap(labels, label.classes);
}
