import { FederationError } from '@consilium/shared/kernel';
import { normaliseIntensity } from '../preprocessing/intensity.js';
import type { OrderContext } from '../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import { readNiftiVolume } from '../volumes/nifti/nifti-volume.js';
import type { Volume } from '../volumes/volume.js';
import { type LabelledCase, requireSameGrid, toClassMap } from './labelled-case.js';
import type { CaseFiles, SegmentationClass } from './segmentation-task.js';

/** Reads image and label of each case into memory; TASK_INVALID names the case and file that cannot be used. */
export async function loadCases(
  files: readonly CaseFiles[],
  task: { readonly modality: 'CT' | 'MR'; readonly classes: readonly SegmentationClass[] },
  context: Pick<OrderContext, 'stop' | 'report'>,
): Promise<LabelledCase[]> {
  const cases: LabelledCase[] = [];
  for (const [index, entry] of files.entries()) {
    obeyStop(context.stop);
    cases.push(await loadCase(entry, task));
    context.report('loading', index + 1, files.length);
    await letEventsIn();
  }
  return cases;
}

async function loadCase(
  files: CaseFiles,
  { modality, classes }: { readonly modality: 'CT' | 'MR'; readonly classes: readonly SegmentationClass[] },
): Promise<LabelledCase> {
  const image = await readNamed(files.name, 'image', files.image);
  const label = await readNamed(files.name, 'label', files.label);
  requireSameGrid(image, label, files);
  return {
    name: files.name,
    sizeVoxels: image.sizeVoxels,
    intensities: normaliseIntensity(image, modality),
    classMap: toClassMap(label.voxels, classes),
  };
}

async function readNamed(name: string, role: string, path: string): Promise<Volume> {
  try {
    return await readNiftiVolume(path);
  } catch (cause) {
    const { message } = FederationError.from(cause, 'VOLUME_UNREADABLE');
    throw new FederationError('TASK_INVALID', `case ${name}: the ${role} ${path} cannot be used: ${message}`, {
      cause,
      remedy: 'Repair the file or take the case out of the task.',
    });
  }
}
