/**
 * A CT series of 20 slices of 512², JPEG 2000 lossless, to one float32 volume in RAS order: headers read, slices sorted,
 * decoded, rescaled, reoriented. The reference does the same with pydicom and its compiled OpenJPEG decoder, turn by turn;
 * both must come to the same voxels. Needs the reference shelf's data.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { median, round } from '../statistics.mjs';
import { TurnTaker, withSides } from '../turn-taker.mjs';

export const name = 'dicom-j2k';
export const unit = 'ms';
export const needs = ['numpy', 'pydicom', 'pylibjpeg', 'openjpeg'];
export const target = { mostRatio: 1.5 };

const TURNS = 9;
/** Turns that do not count: compilers warm up, threads start, the files come into memory. */
const WARM_UP = 2;

export async function measure({ python }) {
  const here = join(import.meta.dirname, '..');
  const folder = resolve(here, '../../../shared/data/dicom/body_ct_j2k/series');
  if (!existsSync(folder)) throw new Error('dicom-j2k: needs the reference shelf (../shared) beside the checkout');
  const sides = [new TurnTaker('ours', process.execPath, [join(here, 'dicom-loads.mjs'), folder])];
  if (python !== undefined) sides.push(new TurnTaker('reference', python, [join(here, 'reference_dicom.py'), folder]));
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
  if (ours !== reference) throw new Error(`dicom-j2k: voxels differ, ${ours} and ${reference}`);
}
