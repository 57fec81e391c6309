import type { Digest } from '@consilium/shared/kernel';
import { resampleLabels } from '../preprocessing/resampling/resample-volume.js';
import type { OrderContext } from '../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import { readVolume } from '../volumes/read-volume.js';
import type { Volume } from '../volumes/volume.js';
import { type CaseScan, choiceOf, digestOfCaseScan, findCaseScan, frameNote } from './case-scan.js';
import { type LabelledCase, toClassMap } from './labelled-case.js';
import { matchLabel } from './match-label.js';
import { type PreparedImage, prepareImage } from './prepare-image.js';
import type { CaseFiles } from './finetune-case.js';
import type { ImagePlan } from './image-plan.js';
import { orNameCase } from './or-name-case.js';
import type { SegmentationCase, SegmentationClass } from './segmentation-task.js';

type CasePlan = ImagePlan & { readonly classes: readonly SegmentationClass[] };

/**
 * Reads image and label of each case into memory; TASK_INVALID names the case and file that cannot be used. Cases to be
 * `scored` keep the classes of the image's own grid where they are resampled.
 */
export async function loadCases(
  files: readonly SegmentationCase[],
  task: CasePlan,
  context: Pick<OrderContext, 'stop' | 'report' | 'warn'>,
  { scored = false } = {},
): Promise<LabelledCase[]> {
  const cases: LabelledCase[] = [];
  for (const [index, entry] of files.entries()) {
    obeyStop(context.stop);
    const { own, ...labelled } = await loadCase(entry, task, context);
    cases.push(scored ? { ...labelled, own } : labelled);
    context.report('loading', index + 1, files.length);
    await letEventsIn();
  }
  return cases;
}

async function loadCase(files: SegmentationCase, task: CasePlan, context: Pick<OrderContext, 'warn'>): Promise<LabelledCase> {
  const { prepared, labels } = await readCase(files, task, context);
  const ownMap = toClassMap(labels, task.classes);
  const { sizeVoxels, intensities, fromOwn } = prepared;
  if (fromOwn === undefined) return { name: files.name, sizeVoxels, intensities, classMap: ownMap };
  const classMap = resampleLabels(ownMap, fromOwn, new Uint8Array(intensities.length));
  return { name: files.name, sizeVoxels, intensities, classMap, own: { classMap: ownMap, fromOwn } };
}

/** A case as it was read: its image's own grid, the image as the network sees it, and the label's values on the own grid. */
export interface ReadCase {
  readonly own: Pick<Volume, 'sizeVoxels' | 'spacingMm'>;
  readonly prepared: PreparedImage;
  readonly labels: Float32Array;
}

/** Reads one case. Errors as in {@link loadCases}. */
export async function readCase(files: SegmentationCase, plan: ImagePlan, context: Pick<OrderContext, 'warn'>): Promise<ReadCase> {
  const scan = await findImage(files);
  const note = frameNote(`case ${files.name}: the image`, scan, files.frame);
  if (note !== undefined) context.warn(note);
  const image = await orNameCase(files.name, 'image', files.image, () => readVolume(scan.source));
  const label = await orNameCase(files.name, 'label', files.label, () => readNiftiVolume(files.label));
  const labels = matchLabel(image, label, files);
  const prepared = await orNameCase(files.name, 'image', files.image, () => prepareImage(image, scan.modality, plan));
  return { own: image, prepared, labels };
}

/** Names the bytes of a case's image. Errors as in {@link loadCases}. */
export async function digestOfImage(files: CaseFiles): Promise<Digest> {
  const scan = await findImage(files);
  return orNameCase(files.name, 'image', files.image, () => digestOfCaseScan(scan));
}

function findImage(files: CaseFiles): Promise<CaseScan> {
  return orNameCase(files.name, 'image', files.image, () => findCaseScan(choiceOf(files)));
}
