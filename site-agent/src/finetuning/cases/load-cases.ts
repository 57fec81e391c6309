import { type Digest, digestOfFile, digestOfJson } from '@consilium/shared/kernel';
import { voxelFacts } from '../../preprocessing/patch-cache/entry-header.js';
import { fingerprintOf } from '../../preprocessing/prepare-volume.js';
import { resampleLabels } from '../../preprocessing/resampling/resample-volume.js';
import type { OrderContext } from '../../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../../training/train.js';
import { filesOfVolume } from '../../volumes/nifti/nifti-pair.js';
import { readNiftiLabels } from '../../volumes/nifti/nifti-volume.js';
import { readVolume } from '../../volumes/read-volume.js';
import type { Modality, Volume } from '../../volumes/volume.js';
import { type CaseScan, choiceOf, digestOfCaseScan, findCaseScan, frameNote } from './case-scan.js';
import type { CaseIdentity, CaseStore } from './case-store.js';
import type { KeptCase } from './kept-case.js';
import { type LabelledCase, toClassMap } from './labelled-case.js';
import { matchLabel } from './match-label.js';
import { preparationOf, type PreparedImage, prepareImage } from './prepare-image.js';
import type { CaseFiles } from '../tasks/finetune-case.js';
import type { ImagePlan } from '../tasks/image-plan.js';
import { orNameCase } from './or-name-case.js';
import type { SegmentationCase, SegmentationClass } from '../tasks/segmentation-task.js';

type CasePlan = ImagePlan & { readonly classes: readonly SegmentationClass[] };

export interface CasePlace {
  readonly store: CaseStore;
  /** The classes of the images' own grids are kept too. */
  readonly scored?: boolean;
  /** Told of each image. */
  readonly onModality?: (modality: Modality) => void;
}

/**
 * Reads image and label of each case and gives them to the store; TASK_INVALID names the case and file that cannot be used. Cases
 * to be `scored` keep the classes of the image's own grid where they are resampled.
 */
export async function loadCases(
  files: readonly SegmentationCase[],
  task: CasePlan,
  context: Pick<OrderContext, 'stop' | 'report' | 'warn'>,
  { store, scored = false, onModality }: CasePlace,
): Promise<KeptCase[]> {
  const cases: KeptCase[] = [];
  for (const [index, entry] of files.entries()) {
    obeyStop(context.stop);
    const { prepared, labels } = await readCase(entry, task, context);
    onModality?.(prepared.modality);
    const labelled = labelledCase(entry.name, prepared, toClassMap(labels, task.classes), scored);
    cases.push(await store.keep(labelled, task.classes.length, () => identify(entry, task, prepared)));
    context.report('loading', index + 1, files.length);
    await letEventsIn();
  }
  return cases;
}

function labelledCase(name: string, image: PreparedImage, ownMap: Uint8Array, scored: boolean): LabelledCase {
  const { sizeVoxels, intensities, fromOwn } = image;
  if (fromOwn === undefined) return { name, sizeVoxels, intensities, classMap: ownMap };
  const classMap = resampleLabels(ownMap, fromOwn, new Uint8Array(intensities.length));
  return { name, sizeVoxels, intensities, classMap, ...(scored && { own: { classMap: ownMap, fromOwn } }) };
}

async function identify(files: SegmentationCase, plan: CasePlan, prepared: PreparedImage): Promise<CaseIdentity> {
  const digest = await digestOfImage(files);
  const fingerprint = fingerprintOf(preparationOf(plan));
  return {
    image: { digest, modality: prepared.modality, fingerprint, ...voxelFacts(prepared) },
    label: {
      digest: await digestOfLabel(files.label),
      fingerprint: digestOfJson({ classes: plan.classes, image: digest, fingerprint }),
    },
  };
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
  const label = await orNameCase(files.name, 'label', files.label, () => readNiftiLabels(files.label));
  if (label.repairedVoxels > 0) {
    const count = label.repairedVoxels.toLocaleString('en');
    context.warn(`case ${files.name}: ${count} voxels of its label are no finite numbers: they count as background`);
  }
  const labels = matchLabel(image, label, files);
  const prepared = await orNameCase(files.name, 'image', files.image, () => prepareImage(image, scan.modality, plan));
  return { own: image, prepared, labels };
}

/** Names the bytes of a case's image. Errors as in {@link loadCases}. */
export async function digestOfImage(files: CaseFiles): Promise<Digest> {
  const scan = await findImage(files);
  return orNameCase(files.name, 'image', files.image, () => digestOfCaseScan(scan));
}

/** Names the bytes of a label map; of a pair, of both files. */
export async function digestOfLabel(path: string): Promise<Digest> {
  const digests = await Promise.all((await filesOfVolume(path)).map((file) => digestOfFile(file)));
  const [first, ...others] = digests;
  return first !== undefined && others.length === 0 ? first : digestOfJson(digests);
}

function findImage(files: CaseFiles): Promise<CaseScan> {
  return orNameCase(files.name, 'image', files.image, () => findCaseScan(choiceOf(files)));
}
