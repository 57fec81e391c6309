import { type Digest, FederationError } from '@consilium/shared/kernel';
import { resampleLabels } from '../preprocessing/resampling/resample-volume.js';
import type { OrderContext } from '../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import { readVolume } from '../volumes/read-volume.js';
import { type CaseScan, digestOfCaseScan, findCaseScan, frameNote } from './case-scan.js';
import { type LabelledCase, toClassMap } from './labelled-case.js';
import { matchLabel } from './match-label.js';
import { prepareImage } from './prepare-image.js';
import type { CaseFiles, ImagePlan, SegmentationClass } from './segmentation-task.js';

type CasePlan = ImagePlan & { readonly classes: readonly SegmentationClass[] };

/**
 * Reads image and label of each case into memory; TASK_INVALID names the case and file that cannot be used. Cases to be
 * `scored` keep the classes of the image's own grid where they are resampled.
 */
export async function loadCases(
  files: readonly CaseFiles[],
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

async function loadCase(files: CaseFiles, task: CasePlan, context: Pick<OrderContext, 'warn'>): Promise<LabelledCase> {
  const scan = await findImage(files);
  const note = frameNote(`case ${files.name}: the image`, scan, files.frame);
  if (note !== undefined) context.warn(note);
  const image = await orNameCase(files, 'image', () => readVolume(scan.source));
  const label = await orNameCase(files, 'label', () => readNiftiVolume(files.label));
  const ownMap = toClassMap(matchLabel(image, label, files), task.classes);
  const prepared = await orNameCase(files, 'image', () => Promise.resolve(prepareImage(image, scan.modality, task)));
  const { sizeVoxels, intensities, fromOwn } = prepared;
  if (fromOwn === undefined) return { name: files.name, sizeVoxels, intensities, classMap: ownMap };
  const classMap = resampleLabels(ownMap, fromOwn, new Uint8Array(intensities.length));
  return { name: files.name, sizeVoxels, intensities, classMap, own: { classMap: ownMap, fromOwn } };
}

/** Names the bytes of a case's image. Errors as in {@link loadCases}. */
export async function digestOfImage(files: CaseFiles): Promise<Digest> {
  const scan = await findImage(files);
  return orNameCase(files, 'image', () => digestOfCaseScan(scan));
}

function findImage(files: CaseFiles): Promise<CaseScan> {
  return orNameCase(files, 'image', () => findCaseScan({ ...files, path: files.image }));
}

async function orNameCase<T>(files: CaseFiles, role: 'image' | 'label', act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    const { message, remedy } = FederationError.from(cause, 'VOLUME_UNREADABLE');
    throw new FederationError('TASK_INVALID', `case ${files.name}: the ${role} ${files[role]} cannot be used: ${message}`, {
      cause,
      remedy: remedy ?? 'Repair the file or take the case out of the task.',
    });
  }
}
