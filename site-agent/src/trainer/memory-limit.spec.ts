import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { preferToBeKilled } from './kill-preference.js';
import { memoryLimit, peakResidentBytes, readMemoryFacts } from './memory-limit.js';

const GIB = 2 ** 30;
const machine = { residentBytes: GIB, groupFreeBytes: undefined, machineFreeBytes: 10 * GIB };

describe('the memory that a trainer may come to', () => {
  it('is what it holds and most of what is free', () => {
    expect(memoryLimit(undefined, machine)).toEqual({ bytes: GIB + 9.5 * GIB, from: 'machine' });
  });
  it('is less in a container or service with a limit', () => {
    const limited = { ...machine, groupFreeBytes: 2 * GIB };
    expect(memoryLimit(undefined, limited)).toEqual({ bytes: GIB + Math.floor(1.9 * GIB), from: 'control group' });
  });
  it('is what the site says', () => {
    expect(memoryLimit(3 * GIB, machine)).toEqual({ bytes: 3 * GIB, from: 'setting' });
  });
  it('is never more than there is, whatever the site says', () => {
    expect(memoryLimit(64 * GIB, machine).from).toBe('machine');
  });

  it('is read from the kernel where it tells', () => {
    const facts = readMemoryFacts((path) =>
      path === '/proc/meminfo' ? 'MemTotal: 9 kB\nMemAvailable:    2048 kB\n' : undefined,
    );
    expect(facts).toMatchObject({ groupFreeBytes: undefined, machineFreeBytes: 2 ** 21 });
    expect(facts.residentBytes).toBeGreaterThan(2 ** 20);
    expect(readMemoryFacts(() => undefined).machineFreeBytes).toBeGreaterThan(0);
  });

  it('is compared with a peak that only grows', () => {
    const before = peakResidentBytes();
    const held = new Uint8Array(48 * 2 ** 20).fill(1);
    expect(peakResidentBytes()).toBeGreaterThanOrEqual(before);
    expect(peakResidentBytes()).toBeGreaterThan(held.byteLength);
  });
});

describe('the peak of a program', () => {
  it('is its own, not that of the process that started it', () => {
    const held = new Uint8Array(400 * 2 ** 20).fill(1);
    const script = "console.log(/VmHWM:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'utf8'))?.[1])";
    const { stdout } = spawnSync(process.execPath, ['-e', script], { encoding: 'utf8' });
    expect(Number(stdout) * 1024).toBeLessThan(held.byteLength);
    expect(peakResidentBytes(() => 'VmPeak:\t 9 kB\nVmHWM:\t     2048 kB\n')).toBe(2 ** 21);
    expect(peakResidentBytes(() => undefined)).toBeGreaterThan(held.byteLength);
  });
});

describe('the wish to be killed first', () => {
  it('is written, and no trouble where it cannot be', () => {
    const folder = mkdtempSync(join(tmpdir(), 'consilium-'));
    try {
      const file = join(folder, 'oom_score_adj');
      preferToBeKilled(file);
      expect(readFileSync(file, 'utf8')).toBe('500');
      expect(() => preferToBeKilled(join(folder, 'absent', 'file'))).not.toThrow();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
