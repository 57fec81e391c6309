/**
 * One compressed NIfTI file of 256³ int16 to float32 in RAS order, x-major: read, inflated, converted, reoriented. The
 * reference does the same with nibabel and NumPy, turn by turn; both must come to the same voxels.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { compareLoads } from '../compare-loads.mjs';
import { makeNifti, randomBits } from '../made-nifti.mjs';
import { round } from '../statistics.mjs';

export const name = 'nifti-load';
export const unit = 'ms';
export const needs = ['numpy', 'nibabel'];
export const target = { mostRatio: 1.3 };

const SIDE = 256;
export async function measure({ python }) {
  const folder = mkdtempSync(join(tmpdir(), 'nifti-load-'));
  try {
    const path = join(folder, 'scan.nii.gz');
    const file = gzipSync(makeScan(), { level: 6 });
    writeFileSync(path, file);
    const here = join(import.meta.dirname, '..');
    const [ours, reference] = [
      [join(here, 'nifti-loads.mjs'), path],
      [join(here, 'reference_nifti.py'), path],
    ];
    return { ...(await compareLoads({ name, ours, reference, python })), fileMiB: round(file.length / 2 ** 20, 1) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** An ellipsoid of tissue with structure and noise in air, stored LPS: about as compressible as a CT. */
function makeScan() {
  return makeNifti([SIDE, SIDE, SIDE], [-1, 0, 0, 100, 0, -1, 0, 110, 0, 0, 1, -50], fillVoxels);
}

function fillVoxels(voxels) {
  const bits = randomBits(1);
  const noise = () => (bits() >>> 16) / 65536 - 0.5;
  const at = (index) => (2 * index) / SIDE - 1;
  let write = 0;
  for (let k = 0; k < SIDE; k++) {
    for (let j = 0; j < SIDE; j++) {
      for (let i = 0; i < SIDE; i++, write++) {
        const inside = at(i) ** 2 + at(j) ** 2 + at(k) ** 2 < 0.8;
        const structure = 150 * Math.sin(i / 17) * Math.cos(j / 13) * Math.sin((k + i) / 19);
        voxels[write] = inside ? Math.round(60 + structure + 40 * noise()) : -1000;
      }
    }
  }
}
