/**
 * The share of its time in which a training on two cores waits for its batches: a U-Net of base width 8 on batches of four
 * patches of 64×64×32 that threads make beside it, through the training loop itself. The reference is the same training with
 * the batches made between the steps, and `slowdown` compares with steps on batches that lie ready in memory, for threads that
 * never let a step wait could still take the processor away from it. The three take turns in one process.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { locateRuntime, runtimeEnvironment } from '../../../site-agent/dist/engine/runtime/locate-runtime.js';
import { makeVoxels, storeVoxels } from '../made-prepared.mjs';
import { median, round } from '../statistics.mjs';
import { TurnTaker, withSides } from '../turn-taker.mjs';

export const name = 'data-wait';
export const unit = '% of step time';
export const target = 5;

const CORES = 2;
const TURNS = 3;
const STEPS = 6;
const MODES = ['fed', 'ready', 'unfed'];

export async function measure() {
  const folder = mkdtempSync(join(tmpdir(), 'data-wait-'));
  try {
    const volumes = [await storeVoxels(folder, makeVoxels(), 'f16')];
    const side = stepTaker({ volumes, threads: CORES, batchSize: 4, width: 8 });
    return await withSides([side], async () => {
      const turns = [];
      for (const mode of MODES) await side.ask(`${mode} 1`); // compilers warm up
      for (let turn = 0; turn < TURNS; turn++) {
        for (const mode of MODES) turns.push({ mode, ...(await side.ask(`${mode} ${STEPS}`)) });
      }
      return summarise(turns, { ...side.facts, ...(await side.ask('facts')) });
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function stepTaker(work) {
  const program = [join(import.meta.dirname, '..', 'fed-steps.mjs'), JSON.stringify(work)];
  const environment = runtimeEnvironment(locateRuntime());
  if (platform() !== 'linux' || availableParallelism() <= CORES)
    return new TurnTaker('ours', process.execPath, program, environment);
  return new TurnTaker('ours', 'taskset', ['-c', '0,1', process.execPath, ...program], environment);
}

function summarise(turns, { engine, threads, batchThreads, peakRssMiB }) {
  const of = (mode) => turns.filter((turn) => turn.mode === mode);
  const share = (mode) => {
    const times = of(mode).flatMap((turn) => turn.times);
    return (100 * sum(times, 'waitedMs')) / sum(times, 'totalMs');
  };
  const [fed, unfed] = [share('fed'), share('unfed')];
  const each = (figure) => Object.fromEntries(MODES.map((mode) => [mode, round(figure(of(mode)))]));
  const stepMs = each((some) => median(some.flatMap(({ times }) => times.map(({ totalMs }) => totalMs))));
  const longestWaitMs = Math.max(...of('fed').flatMap(({ times }) => times.map(({ waitedMs }) => waitedMs)));
  return {
    ours: fed,
    reference: unfed,
    slowdown: round(stepMs.fed / stepMs.ready),
    stepMs,
    processorMs: each((some) => (sum(some, 'processorSeconds') / (some.length * STEPS)) * 1000),
    longestWaitMs: round(longestWaitMs),
    steps: TURNS * STEPS,
    engine,
    threads,
    batchThreads,
    peakRssMiB,
  };
}

function sum(things, field) {
  return things.reduce((total, thing) => total + thing[field], 0);
}
