/** Memory and processor time of other processes, from /proc: Linux only. */
import { readFileSync, writeFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;

/** Resident memory now, MiB. */
export function residentMiB(pid) {
  return statusMiB(pid, 'VmRSS');
}

/** The most resident memory since the last `forgetPeak`, MiB. */
export function peakResidentMiB(pid) {
  return statusMiB(pid, 'VmHWM');
}

export function forgetPeak(pid) {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Processor seconds of all threads of a process and of its children that have ended; 0 when it is gone. */
export function processorSeconds(pid) {
  try {
    // The command's name stands in brackets and may hold spaces; utime, stime, cutime and cstime are fields 14 to 17.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1).split(' ');
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function statusMiB(pid, field) {
  const [, kibibytes] = new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kibibytes) / 1024;
}
