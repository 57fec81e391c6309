import { access } from 'node:fs/promises';
import { unreadable } from '../volume-fault.js';

const HEADER_FILE = /\.hdr(\.gz)?$/i;
const IMAGE_FILE = /\.img(\.gz)?$/i;
const SINGLE_FILE = /\.nii(\.gz)?$/i;

/** A name that a scan should look at: .nii, .nii.gz, and the header file of a pair. */
export function isVolumeFileName(name: string): boolean {
  return SINGLE_FILE.test(name) || HEADER_FILE.test(name);
}

/** All files that make up the volume at a path: itself, or header and image of a pair. */
export async function filesOfVolume(path: string): Promise<string[]> {
  return HEADER_FILE.test(path) ? [path, await pairedImageFile(path)] : [path];
}

/** The .img file of a .hdr file, itself compressed or not. */
export async function pairedImageFile(path: string): Promise<string> {
  const stem = path.replace(HEADER_FILE, '');
  if (stem !== path) {
    for (const ending of ['.img', '.img.gz', '.IMG']) {
      if (await exists(stem + ending)) return stem + ending;
    }
  }
  throw unreadable('the image file (.img) of this header is missing');
}

/** The .hdr file of an .img file; any other path unchanged. */
export async function headerFileOf(path: string): Promise<string> {
  const stem = path.replace(IMAGE_FILE, '');
  if (stem === path) return path;
  for (const ending of ['.hdr', '.hdr.gz', '.HDR']) {
    if (await exists(stem + ending)) return stem + ending;
  }
  throw unreadable('the header file (.hdr) of this image is missing');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
