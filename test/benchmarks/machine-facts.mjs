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
