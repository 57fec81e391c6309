import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Digest, digestOfFile, digestOfJson, finishDigest } from '@consilium/shared/kernel';

/** What names the bytes of a scan: its files in a fixed order, and for a series which of its stacks is meant. */
export interface ScanFiles {
  readonly kind: 'nifti' | 'dicom';
  readonly files: readonly string[];
  readonly stack: number;
}

/** Of the file's bytes; for a pair of the header's bytes followed by the image's; for a series of all files in any order. */
export async function digestOfScan({ kind, files, stack }: ScanFiles): Promise<Digest> {
  const [first] = files;
  if (kind === 'nifti' && files.length === 1 && first !== undefined) return digestOfFile(first);
  if (kind === 'dicom') {
    const digests: Digest[] = [];
    for (const path of files) digests.push(await digestOfFile(path));
    return digestOfJson({ files: digests.sort(), stack });
  }
  const hash = createHash('sha256');
  for (const path of files) await pipeline(createReadStream(path), hash, { end: false });
  return finishDigest(hash);
}

/** Of one frame of a scan: the scan's own for the first. */
export function digestOfFrame(scan: Digest, frame: number): Digest {
  return frame === 0 ? scan : digestOfJson({ digest: scan, frame });
}
