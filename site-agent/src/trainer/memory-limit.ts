import { freemem } from 'node:os';
import process from 'node:process';
import { readControlGroup, type ReadText, readTextFile } from './control-group.js';

/** How much memory this process may come to in all. */
export interface MemoryLimit {
  readonly bytes: number;
  /** `setting`: the site said so; else what is free: in this control group (a container, a service) or on the machine. */
  readonly from: 'setting' | 'control group' | 'machine';
}

/** What is left alone of free memory that nobody gave us: other programs grow too. */
const SPARED_SHARE = 0.05;

/**
 * The site's own limit, but never more than there is: what is free now and what this process already holds. So that running out
 * is foreseen here and not noticed by the kernel, which kills.
 */
export function memoryLimit(setting: number | undefined, facts: MemoryFacts = readMemoryFacts()): MemoryLimit {
  const { residentBytes, groupFreeBytes = Infinity, machineFreeBytes } = facts;
  const free = Math.min(groupFreeBytes, machineFreeBytes);
  const bytes = residentBytes + Math.floor(free * (1 - SPARED_SHARE));
  if (setting !== undefined && setting <= bytes) return { bytes: setting, from: 'setting' };
  return { bytes, from: groupFreeBytes < machineFreeBytes ? 'control group' : 'machine' };
}

export interface MemoryFacts {
  /** Of this process. */
  readonly residentBytes: number;
  /** Undefined where no control group sets a limit. */
  readonly groupFreeBytes: number | undefined;
  readonly machineFreeBytes: number;
}

export function readMemoryFacts(read: ReadText = readTextFile): MemoryFacts {
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(read('/proc/meminfo') ?? '')?.[1];
  return {
    residentBytes: process.memoryUsage.rss(),
    groupFreeBytes: readControlGroup(read).freeBytes,
    machineFreeBytes: available === undefined ? freemem() : Number(available) * 1024,
  };
}

/** The most memory that this program ever held. What getrusage says also counts the process that started it. */
export function peakResidentBytes(read: ReadText = readTextFile): number {
  const peak = /^VmHWM:\s+(\d+) kB$/m.exec(read('/proc/self/status') ?? '')?.[1];
  return 1024 * (peak === undefined ? process.resourceUsage().maxRSS : Number(peak));
}
