import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, platform, release, totalmem } from 'node:os';

/** What a number of seconds depends on. The load says how busy other programs kept the machine. */
export function machineFacts() {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Number((totalmem() / 2 ** 30).toFixed(1)),
    system: `${platform()} ${release()}`,
    node: process.versions.node,
    load: loadavg().map((value) => Number(value.toFixed(2))),
    date: new Date().toISOString(),
  };
}

const TICKS_PER_SECOND = 100;

/** Processor seconds that all programs have used since the machine started, time stolen by its host included; Linux only. */
function busySeconds() {
  try {
    const [, ...ticks] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0].split(/\s+/).map(Number);
    const [user, nice, system, , , interrupts, softInterrupts, stolen] = ticks;
    return (user + nice + system + interrupts + softInterrupts + stolen) / TICKS_PER_SECOND;
  } catch {
    return undefined;
  }
}

/** Begins to watch; the answer is the share of the machine that others took meanwhile, given what was used by oneself. */
export function watchOthers() {
  const [busyBefore, startedAt] = [busySeconds(), performance.now()];
  return (ownSeconds) => {
    const busyAfter = busySeconds();
    if (busyBefore === undefined || busyAfter === undefined) return null;
    const available = ((performance.now() - startedAt) / 1000) * availableParallelism();
    return Math.max(0, Number(((busyAfter - busyBefore - ownSeconds) / available).toFixed(3)));
  };
}
