import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { namesLike } from './folder-names.js';
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

/** The .img file of a .hdr file, itself compressed or not, in capitals or not. */
export async function pairedImageFile(path: string): Promise<string> {
  const found = HEADER_FILE.test(path) ? await partnerOf(path, HEADER_FILE, 'img') : undefined;
  if (found === undefined) throw unreadable('the image file (.img) of this header is missing');
  return found;
}

/** The .hdr file of an .img file; any other path unchanged. */
export async function headerFileOf(path: string): Promise<string> {
  if (!IMAGE_FILE.test(path)) return path;
  const found = await partnerOf(path, IMAGE_FILE, 'hdr');
  if (found === undefined) throw unreadable('the header file (.hdr) of this image is missing');
  return found;
}

async function partnerOf(path: string, ownEnding: RegExp, ending: string): Promise<string | undefined> {
  const stem = path.replace(ownEnding, '');
  for (const usual of [ending, `${ending}.gz`, ending.toUpperCase()]) {
    if (await exists(`${stem}.${usual}`)) return `${stem}.${usual}`;
  }
  return partnerInFolder(stem, ending);
}

// Only now the whole folder, which may be long: for SCAN.Hdr beside scan.IMG.GZ.
async function partnerInFolder(stem: string, ending: string): Promise<string | undefined> {
  const [folder, name] = [dirname(stem), basename(stem)];
  const alike = [...(await namesLike(folder, `${name}.${ending}`)), ...(await namesLike(folder, `${name}.${ending}.gz`))];
  const found = alike.find((candidate) => candidate.startsWith(name)) ?? alike[0];
  return found === undefined ? undefined : join(folder, found);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
