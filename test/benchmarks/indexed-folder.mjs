/** A folder of made NIfTI scans, and `site-agent index` over it in a process of its own, as a user starts it. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { makeNifti, randomBits } from './made-nifti.mjs';

const PROGRAM = join(import.meta.dirname, '../../site-agent/bin/site-agent.mjs');
const LOOK_EVERY_MS = 20;
const READ_HEADERS = `
import sys, time, pathlib, nibabel
began = time.perf_counter()
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    image = nibabel.load(path)
    image.shape, image.affine, nibabel.aff2axcodes(image.affine)
print((time.perf_counter() - began) * 1000)
`;

export class IndexedFolder {
  #home = mkdtempSync(join(tmpdir(), 'bench-index-'));
  #scans = join(this.#home, 'scans');

  /** So many compressed scans of side × side × side voxels, no two alike. */
  constructor(count, side = 24) {
    if (!existsSync(join(import.meta.dirname, '../../site-agent/dist/cli.js'))) throw new Error('build first');
    mkdirSync(this.#scans);
    const scan = makeScan(side);
    for (let number = 0; number < count; number++) {
      scan.writeInt16LE(number, 352);
      writeFileSync(join(this.#scans, `scan-${number}.nii.gz`), gzipSync(scan, { level: 1 }));
    }
  }

  /** The site begins anew. */
  forget() {
    rmSync(join(this.#home, 'site'), { recursive: true, force: true });
  }

  /** Milliseconds from start to end, and the most memory that the process came to. */
  async index(...words) {
    const began = performance.now();
    const arguments_ = [PROGRAM, '--home', join(this.#home, 'site'), 'index', ...words, this.#scans];
    const child = spawn(process.execPath, arguments_, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => (said += text));
    let peakMiB = 0;
    const watch = setInterval(() => (peakMiB = Math.max(peakMiB, peakOf(child.pid))), LOOK_EVERY_MS);
    const code = await new Promise((resolve) => child.once('exit', resolve));
    clearInterval(watch);
    if (code !== 0) throw new Error(`site-agent index: ${said}`);
    return { ms: performance.now() - began, peakMiB };
  }

  /** The same headers with nibabel, without starting Python. */
  readHeaders(python) {
    if (python === undefined) return { ms: 0 };
    const { stdout, stderr, status } = spawnSync(python, ['-c', READ_HEADERS, this.#scans], { encoding: 'utf8' });
    if (status !== 0) throw new Error(stderr);
    return { ms: Number(stdout) };
  }

  remove() {
    rmSync(this.#home, { recursive: true });
  }
}

function peakOf(pid) {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0; // it has just ended, or this system has no /proc
  }
}

/** Noise, stored LAS. */
function makeScan(side) {
  const bits = randomBits(1);
  return makeNifti([side, side, side], [-1, 0, 0, 100, 0, 1, 0, -110, 0, 0, 1, -50], (voxels) => {
    for (let at = 0; at < voxels.length; at++) voxels[at] = bits() >>> 22;
  });
}
