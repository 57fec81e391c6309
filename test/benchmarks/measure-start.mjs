import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { median, round } from './statistics.mjs';

/** Seconds from the start of a trainer's process to its first operation; median and best of `times` starts. */
export function measureStart(times) {
  const program = join(import.meta.dirname, 'engine-start.mjs');
  const starts = Array.from({ length: times }, () => {
    const output = execFileSync(process.execPath, [program, String(Date.now())], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return JSON.parse(output);
  });
  const seconds = starts.map((start) => start.seconds);
  return {
    medianSeconds: round(median(seconds), 3),
    minSeconds: round(Math.min(...seconds), 3),
    programSeconds: round(median(starts.map((start) => start.programSeconds)), 3),
    peakRssMiB: median(starts.map((start) => start.peakRssMiB)),
  };
}
