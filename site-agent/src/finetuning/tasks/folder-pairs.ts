/** Images and label maps that lie in two folders and are matched by their names. */
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { isVolumeFileName } from '../../volumes/nifti/nifti-pair.js';

/** One image with its label map, where labels are asked for. */
export interface FolderPair {
  readonly name: string;
  readonly image: string;
  readonly label?: string | undefined;
}

/** "scans/hippocampus_205.nii.gz" → "hippocampus_205", "scans/abdomen.dcm" → "abdomen"; a folder's name is its own. */
export function caseName(path: string): string {
  return basename(path).replace(/\.(nii\.gz|nii|hdr\.gz|hdr|img\.gz|img|dcm)$/i, '');
}

// nnU-Net writes p01_0000.nii.gz for the first channel of p01; labels often say what they are.
const IMAGE_ENDING = /_0000$/;
const LABEL_ENDING = /[_-](label|labels|seg|mask|gt)$/i;

/**
 * Pairs by name, in the order of the names. An image may be a NIfTI file, a DICOM file or a folder with a DICOM series, and
 * may end in "_0000"; a label may end in "_label", "_seg", "_mask" or "_gt". Throws TASK_INVALID when an image has no label, a
 * label no image, or two files one name: a case that is silently left out would be worse.
 */
export function findPairs(images: string, labels: string | undefined): Map<string, FolderPair> {
  const found = filesByName(images, 'folders.images', IMAGE_ENDING);
  if (found.size === 0) throw wrong(`folders.images: there is no image in ${images}`, 'Name the folder that holds the images.');
  const names = [...found.keys()];
  if (labels === undefined) return new Map(names.map((name) => [name, { name, image: found.get(name) ?? '' }]));
  const maps = filesByName(labels, 'folders.labels', LABEL_ENDING);
  refuseLonely(
    names.filter((name) => !maps.has(name)),
    `folders: images without a label in ${labels}`,
  );
  refuseLonely(
    [...maps.keys()].filter((name) => !found.has(name)),
    `folders: labels without an image in ${images}`,
  );
  return new Map(names.map((name) => [name, { name, image: found.get(name) ?? '', label: maps.get(name) }]));
}

function filesByName(folder: string, field: string, ending: RegExp): Map<string, string> {
  const files = new Map<string, string>();
  for (const file of listFolder(folder, field)) {
    // Some systems write an umlaut as one character, some as two: the names of image and label look alike all the same.
    const name = caseName(file).replace(ending, '').normalize('NFC');
    const other = files.get(name);
    if (other !== undefined) {
      throw wrong(`${field}: ${basename(other)} and ${file} have the same name`, 'Leave one of them in the folder.');
    }
    files.set(name, join(folder, file));
  }
  return files;
}

/** What may be an image: folders, NIfTI headers and DICOM files; sorted, so that the order is the same everywhere. */
function listFolder(folder: string, field: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => !name.startsWith('.'));
    const usable = entries.filter((entry) => entry.isDirectory() || isVolumeFileName(entry.name) || /\.dcm$/i.test(entry.name));
    return usable.map(({ name }) => name).sort();
  } catch (cause) {
    throw new FederationError('TASK_INVALID', `${field}: the folder ${folder} cannot be read`, {
      cause,
      remedy: 'Paths in a task file are relative to the folder of the task file.',
    });
  }
}

function refuseLonely(names: readonly string[], words: string): void {
  if (names.length === 0) return;
  const others = names.length > 3 ? ` and ${names.length - 3} more` : '';
  throw wrong(
    `${words}: ${names.slice(0, 3).join(', ')}${others}`,
    'Give the files of a pair the same name, or move these away.',
  );
}

function wrong(message: string, remedy: string): FederationError {
  return new FederationError('TASK_INVALID', message, { remedy });
}
