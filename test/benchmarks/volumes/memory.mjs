/**
 * The most memory that `site-agent preprocess` comes to (VmHWM) over a collection of many volumes, one of them large. The
 * reference is the same over a collection of that one volume: the difference is what the collection's size costs.
 */
import { execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeNifti, randomBits } from '../made-nifti.mjs';
import { round } from '../statistics.mjs';

const SMALL = [128, 128, 96];
const LARGE = [384, 384, 256];
const SMALL_VOLUMES = 30;
const MIB = 2 ** 20;
const CLI = resolve(import.meta.dirname, '../../../site-agent/dist/cli.js');

/** One volume as it is in memory: 32-bit floats. */
const VOLUME_MIB = (4 * LARGE[0] * LARGE[1] * LARGE[2]) / MIB;

export const name = 'memory';
export const unit = 'MiB';
export const target = 1024 + VOLUME_MIB;

export async function measure() {
  const folder = mkdtempSync(join(tmpdir(), 'memory-'));
  try {
    const large = join(folder, 'large.nii');
    writeFileSync(large, makeBody(LARGE, 1));
    const few = makeSite(folder, 'few', large, 0);
    const many = makeSite(folder, 'many', large, SMALL_VOLUMES);
    const index = { few: await peakMiB(['index', few.scans], few), many: await peakMiB(['index', many.scans], many) };
    const reference = await peakMiB(['preprocess'], few);
    return {
      ours: await peakMiB(['preprocess'], many),
      reference,
      index: { few: round(index.few, 1), many: round(index.many, 1) },
      volumes: SMALL_VOLUMES + 1,
      volumeMiB: round(VOLUME_MIB, 1),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function makeSite(folder, name, large, smallVolumes) {
  const scans = join(folder, `${name}-scans`);
  mkdirSync(scans);
  symlinkSync(large, join(scans, 'large.nii'));
  for (let seed = 2; seed < 2 + smallVolumes; seed++) writeFileSync(join(scans, `${seed}.nii`), makeBody(SMALL, seed));
  return { scans, home: join(folder, `${name}-site`) };
}

async function peakMiB(words, { home }) {
  const child = spawn(process.execPath, [CLI, '--home', home, ...words], { stdio: 'ignore' });
  let peakKib = 0;
  const watch = setInterval(() => {
    try {
      const found = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'));
      peakKib = Math.max(peakKib, Number(found?.[1] ?? 0));
    } catch {
      // it has just ended
    }
  }, 20);
  const code = await new Promise((done) => child.once('exit', done));
  clearInterval(watch);
  if (code !== 0) {
    const again = await promisify(execFile)(process.execPath, [CLI, '--home', home, ...words]).catch((error) => error);
    throw new Error(`memory: "${words[0]}" ended with ${code}: ${String(again.stderr ?? '').trim()}`);
  }
  return peakKib / 1024;
}

/** A body in air in Hounsfield units; each seed another. */
function makeBody([nx, ny, nz], seed) {
  const bits = randomBits(seed);
  return makeNifti([nx, ny, nz], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], (voxels) => {
    for (let z = 0, at = 0; z < nz; z++) {
      for (let y = 0; y < ny; y++) {
        for (let x = 0; x < nx; x++) {
          const inside = Math.hypot(x - nx / 2, y - ny / 2) < 0.45 * nx;
          voxels[at++] = (inside ? 40 : -1000) + (bits() >>> 27);
        }
      }
    }
  });
}
