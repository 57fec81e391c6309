/**
 * A CT series of 20 slices of 512², JPEG 2000 lossless, to one float32 volume in RAS order: headers read, slices sorted,
 * decoded, rescaled, reoriented. The reference does the same with pydicom and its compiled OpenJPEG decoder, turn by turn;
 * both must come to the same voxels. Needs the reference shelf's data.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { compareLoads } from '../compare-loads.mjs';

export const name = 'dicom-j2k';
export const unit = 'ms';
export const needs = ['numpy', 'pydicom', 'pylibjpeg', 'openjpeg'];
export const target = { mostRatio: 1.5 };

export async function measure({ python }) {
  const here = join(import.meta.dirname, '..');
  const folder = resolve(here, '../../../shared/data/dicom/body_ct_j2k/series');
  if (!existsSync(folder)) throw new Error('dicom-j2k: needs the reference shelf (../shared) beside the checkout');
  return compareLoads({
    name,
    ours: [join(here, 'dicom-loads.mjs'), folder],
    reference: [join(here, 'reference_dicom.py'), folder],
    python,
  });
}
