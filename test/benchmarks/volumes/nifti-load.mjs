/**
 * One compressed NIfTI file of 256³ int16 to float32 in RAS order, x-major: read, inflated, converted, reoriented. The
 * reference does the same with nibabel and NumPy, turn by turn; both must come to the same voxels.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { median, round } from '../statistics.mjs';
import { TurnTaker, withSides } from '../turn-taker.mjs';

export const name = 'nifti-load';
export const unit = 'ms';
export const needs = ['numpy', 'nibabel'];
export const target = { mostRatio: 1.3 };

const SIDE = 256;
const TURNS = 9;
/** Turns that do not count: compilers warm up, the file comes into memory. */
const WARM_UP = 2;

export async function measure({ python }) {
  const folder = mkdtempSync(join(tmpdir(), 'nifti-load-'));
  try {
    const path = join(folder, 'scan.nii.gz');
    const file = gzipSync(makeScan(), { level: 6 });
    writeFileSync(path, file);
    return { ...(await compare(path, python)), fileMiB: round(file.length / 2 ** 20, 1) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function compare(path, python) {
  const here = join(import.meta.dirname, '..');
  const sides = [new TurnTaker('ours', process.execPath, [join(here, 'nifti-loads.mjs'), path])];
  if (python !== undefined) sides.push(new TurnTaker('reference', python, [join(here, 'reference_nifti.py'), path]));
  return withSides(sides, async () => {
    const turns = Object.fromEntries(sides.map((side) => [side.name, []]));
    for (let turn = 0; turn < WARM_UP + TURNS; turn++) {
      for (const side of sides) turns[side.name].push(await side.ask('load'));
    }
    requireSameVoxels(sides.map((side) => turns[side.name][0]));
    const middle = (side, field) => median(turns[side].slice(WARM_UP).map((turn) => turn[field])) * 1000;
    const each = (field) => Object.fromEntries(sides.map((side) => [side.name, round(middle(side.name, field), 1)]));
    return {
      ours: middle('ours', 'seconds'),
      reference: python === undefined ? undefined : middle('reference', 'seconds'),
      processorMs: each('processorSeconds'),
      engines: sides.map(({ facts }) => facts.engine),
    };
  });
}

function requireSameVoxels(turns) {
  const [ours, reference = ours] = turns.map(({ digest }) => digest);
  if (ours !== reference) throw new Error(`nifti-load: voxels differ, ${ours} and ${reference}`);
}

/** An ellipsoid of tissue with structure and noise in air, stored LPS: about as compressible as a CT. */
function makeScan() {
  const file = Buffer.alloc(352 + 2 * SIDE ** 3);
  file.writeInt32LE(348, 0);
  [3, SIDE, SIDE, SIDE, 1, 1, 1, 1].forEach((size, index) => file.writeInt16LE(size, 40 + 2 * index));
  file.writeInt16LE(4, 70);
  file.writeInt16LE(16, 72);
  [1, 1, 1, 1].forEach((size, index) => file.writeFloatLE(size, 76 + 4 * index));
  file.writeFloatLE(352, 108);
  file.writeFloatLE(1, 112);
  file.writeUInt8(2, 123);
  file.writeInt16LE(1, 254);
  [-1, 0, 0, 100, 0, -1, 0, 110, 0, 0, 1, -50].forEach((entry, index) => file.writeFloatLE(entry, 280 + 4 * index));
  file.write('n+1\0', 344, 'latin1');
  fillVoxels(new Int16Array(file.buffer, file.byteOffset + 352, SIDE ** 3));
  return file;
}

function fillVoxels(voxels) {
  let state = 1;
  const noise = () => ((state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 16) / 65536 - 0.5;
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
