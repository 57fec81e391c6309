import { type ByteSource, isCompressed, openFile } from './byte-source.js';
import { BEST_GZIP_RATIO, contentStart } from './nifti-content.js';
import { LARGEST_HEADER_BYTES, type NiftiHeader, parseNiftiHeader } from './nifti-header.js';
import { headerFileOf, pairedImageFile } from './nifti-pair.js';
import { unreadable } from '../volume-fault.js';

/** What may follow the voxels unseen. */
export const TRAILING_BYTES_ALLOWED = 1 << 20;

/** The bytes of a scan: of one file, or of a header file and the image file beside it. */
export interface NiftiParts {
  readonly header: ByteSource;
  /** Called at most once, for a header that says its voxels lie in another file. */
  openImage(): Promise<ByteSource>;
}

/** A checked header, and where its voxels lie. */
export interface OpenNifti {
  readonly header: NiftiHeader;
  readonly image: ByteSource;
}

/** Opens the file at a path (either one of a pair) for as long as `use` takes. */
export async function withNifti<T>(path: string, use: (open: OpenNifti) => Promise<T>): Promise<T> {
  const open = await openNifti(path);
  try {
    return await use(open);
  } finally {
    await open.close();
  }
}

/** The same for a caller who closes it. */
export async function openNifti(path: string): Promise<OpenNifti & { close(): Promise<void> }> {
  const headerPath = await headerFileOf(path);
  const opened = [await openFile(headerPath)] as [ByteSource, ...ByteSource[]];
  const close = async (): Promise<void> => {
    for (const source of opened) await source.close();
  };
  const openImage = async (): Promise<ByteSource> => {
    const image = await openFile(await pairedImageFile(headerPath));
    opened.push(image);
    return image;
  };
  try {
    return { ...(await readParts({ header: opened[0], openImage })), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Parses the header and compares what it promises with the bytes there are, before any memory is taken. */
export async function readParts(parts: NiftiParts): Promise<OpenNifti> {
  const header = parseNiftiHeader(await contentStart(parts.header, LARGEST_HEADER_BYTES));
  const image = header.pair ? await parts.openImage() : parts.header;
  const wanted = header.voxelOffsetBytes + header.frames * frameBytesOf(header);
  const there = image.bytes * (isCompressed(image) ? BEST_GZIP_RATIO : 1);
  if (there < wanted) throw cutShort();
  if (!isCompressed(image) && there > wanted + TRAILING_BYTES_ALLOWED) throw tooMuch();
  return { header, image };
}

export function frameBytesOf({ sizeVoxels: [x, y, z], datatype }: NiftiHeader): number {
  return x * y * z * datatype.bytes;
}

export function cutShort(): Error {
  return unreadable('the voxel data is cut short');
}

export function tooMuch(): Error {
  return unreadable('much more data than its header describes');
}
