/**
 * The most memory that `site-agent index` comes to while it reads all voxels of a collection, in MiB. It may be 1 GiB and one
 * volume, whatever the collection's size: that is the target. A collection of twice the size stands beside it as reference.
 */
import { IndexedFolder } from '../indexed-folder.mjs';

const SIDE = 192;
const SCANS = 12;
/** As 32-bit floats. */
const ONE_VOLUME_MIB = (4 * SIDE ** 3) / 2 ** 20;

export const name = 'index-memory';
export const unit = 'MiB';
export const needs = [];
export const target = 1024 + ONE_VOLUME_MIB;

export async function measure() {
  const [ours, reference] = [await peakOf(2 * SCANS), await peakOf(SCANS)];
  return { ours, reference, scans: [2 * SCANS, SCANS], sideVoxels: SIDE };
}

async function peakOf(scans) {
  const folder = new IndexedFolder(scans, SIDE);
  try {
    return (await folder.index('--modality', 'MR')).peakMiB;
  } finally {
    folder.remove();
  }
}
