import { readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Processor seconds of this process and of its children that have ended (Linux); elsewhere of this process alone. */
export function processorSecondsOfAll() {
  try {
    // The command's name stands in brackets and may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
    const fields = readFileSync('/proc/self/stat', 'utf8').split(') ').at(-1).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}
