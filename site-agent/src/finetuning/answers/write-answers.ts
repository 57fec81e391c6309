/** What a segmentation leaves on disk: masks, probabilities, pictures. All in the image's own geometry. */
import { dirname } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import { AGENT_VERSION } from '../../config/agent-version.js';
import { drawOverlay } from '../../evaluation/overlay/draw-overlay.js';
import { writeSegmentation } from '../../volumes/dicom/write-segmentation.js';
import { writeNiftiLike } from '../../volumes/nifti/nifti-writer.js';
import { readVolume } from '../../volumes/read-volume.js';
import { unsuitable } from '../../volumes/volume-fault.js';
import type { Modality, Volume } from '../../volumes/volume.js';
import type { CaseScan } from '../cases/case-scan.js';
import { makeFolder } from '../tasks/finetune-folder.js';
import type { ImageToSegment } from './image-to-segment.js';
import { toLabelValues } from '../cases/labelled-case.js';
import type { SegmentationClass } from '../tasks/segmentation-task.js';

/** What a DICOM segmentation says of the model that drew it. */
export interface AlgorithmNote {
  readonly task: string;
  readonly digest: Digest;
}

/** An image that was segmented. */
export interface MaskSource {
  readonly image: ImageToSegment;
  readonly scan: CaseScan;
  /** Only its geometry: the voxels have become what the network saw. */
  readonly volume: Volume;
  readonly algorithm: AlgorithmNote;
  readonly classes: readonly SegmentationClass[];
}

/** Throws VOLUME_UNSUITABLE when a DICOM segmentation is asked of an image that is no DICOM series. */
export function requireFormat({ maskFormat }: ImageToSegment, { source }: CaseScan): void {
  if (maskFormat !== 'dicom-seg' || source.kind === 'dicom') return;
  throw unsuitable('a DICOM segmentation refers to a DICOM series, and this image is NIfTI', 'Use --format nifti for it.');
}

export async function writeMask({ image, scan, volume, algorithm, classes }: MaskSource, classMap: Uint8Array): Promise<void> {
  if (image.maskPath === undefined) return;
  await makeFolder(dirname(image.maskPath));
  if (image.maskFormat !== 'dicom-seg' || scan.source.kind !== 'dicom') {
    await writeNiftiLike(image.maskPath, volume, toLabelValues(classMap, classes));
    return;
  }
  const named = `${algorithm.task} ${algorithm.digest.split(':').at(-1)?.slice(0, 12) ?? ''}`;
  await writeSegmentation(image.maskPath, scan.source, { classMap, classes, algorithm: named, version: AGENT_VERSION });
}

/** Returns the path of the class's file. */
export async function writeProbabilities(
  { image, volume, classes }: MaskSource,
  classIndex: number,
  probabilities: Float32Array,
): Promise<string> {
  const path = `${image.probabilityStem}${classes[classIndex]?.name ?? classIndex + 1}.nii.gz`;
  await makeFolder(dirname(path));
  await writeNiftiLike(path, volume, probabilities);
  return path;
}

/** Reads the image again: what is at hand has been normalised, or lies on another grid. `modality` as it was decided then. */
export async function writeOverlay(
  { image, scan }: MaskSource,
  modality: Modality,
  maps: { readonly predicted: Uint8Array; readonly labelled: Uint8Array | undefined },
): Promise<void> {
  if (image.overlayPath === undefined) return;
  await makeFolder(dirname(image.overlayPath));
  await writeFileWhole(image.overlayPath, [drawOverlay(await readVolume(scan.source), modality, maps)]);
}
