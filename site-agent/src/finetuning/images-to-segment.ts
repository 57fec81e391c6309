import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type { ImageToSegment } from '../trainer/trainer-messages.js';
import { isVolumeFileName } from '../volumes/nifti/nifti-pair.js';
import { caseName } from './task-file.js';

const MASK_SUFFIX = '_mask.nii.gz';

/**
 * The images that files and folders name, each with the path of its mask below the output folder. Folders are searched to
 * the bottom and keep their structure; an image that is named twice counts once, and masks of an earlier call count not at
 * all. Throws NOT_FOUND for a path that is not there, ARGUMENT_INVALID when two masks would get one name.
 */
export function imagesToSegment(inputs: readonly string[], outputFolder: string): ImageToSegment[] {
  const masks = new Map<string, ImageToSegment>();
  for (const { path, place } of inputs.flatMap((input) => imagesUnder(resolve(input)))) {
    const name = caseName(path);
    const maskPath = join(resolve(outputFolder), place, `${name}${MASK_SUFFIX}`);
    const other = masks.get(maskPath);
    if (other !== undefined && other.imagePath !== path) {
      throw new FederationError('ARGUMENT_INVALID', `the masks of ${other.imagePath} and ${path} would have the same name`, {
        remedy: 'Predict them into two output folders.',
      });
    }
    masks.set(maskPath, { name, imagePath: path, maskPath });
  }
  return [...masks.values()];
}

/** Image files with their folder relative to the one that was named. */
function imagesUnder(input: string): { path: string; place: string }[] {
  const stats = statSync(input, { throwIfNoEntry: false });
  if (stats === undefined) {
    throw new FederationError('NOT_FOUND', `there is no image or folder ${input}`, { remedy: 'Check the path.' });
  }
  if (!stats.isDirectory()) return [{ path: input, place: '' }];
  return readdirSync(input, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && isVolumeFileName(entry.name) && !entry.name.endsWith(MASK_SUFFIX))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path, place: relative(input, dirname(path)) }));
}
