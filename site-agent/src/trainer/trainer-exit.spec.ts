import { countMemoryKills, explainExit, speaksOfMemory, type TrainerExit } from './trainer-exit.js';

function exitWith(changes: Partial<TrainerExit>): TrainerExit {
  return { exitCode: null, signal: null, lastWords: '', stopRequested: false, memoryKill: false, ...changes };
}

describe('explainExit', () => {
  it.each([
    ['a crash', { signal: 'SIGSEGV' as const }, 'TRAINER_DIED'],
    ['an unexplained kill', { signal: 'SIGKILL' as const }, 'TRAINER_DIED'],
    ['a kill while the kernel killed for memory', { signal: 'SIGKILL' as const, memoryKill: true }, 'OUT_OF_MEMORY'],
    ['an exit while some other process was killed for memory', { exitCode: 1, memoryKill: true }, 'TRAINER_DIED'],
    ['a failed allocation', { signal: 'SIGABRT' as const, lastWords: 'what():  std::bad_alloc' }, 'OUT_OF_MEMORY'],
    ['a full JavaScript heap', { exitCode: 134, lastWords: 'FATAL ERROR: JavaScript heap out of memory' }, 'OUT_OF_MEMORY'],
    ['our own stop', { signal: 'SIGKILL' as const, stopRequested: true, memoryKill: true }, 'TRAINER_STOPPED'],
    ['an exit without a word', { exitCode: 0 }, 'TRAINER_DIED'],
  ])('calls %s by its code', (_what, changes, code) => {
    expect(explainExit(exitWith(changes)).code).toBe(code);
  });

  it('keeps its last words out of what may cross the wire', () => {
    const error = explainExit(exitWith({ exitCode: 1, lastWords: 'cannot open /scans/mueller.nii' }));
    expect(error.remedy).toContain('mueller');
    expect(JSON.stringify(error.toReport())).not.toContain('mueller');
    expect(error.details).toEqual({ exitCode: 1, signal: null });
  });
});

describe('speaksOfMemory', () => {
  it.each([
    'OOM when allocating tensor with shape[2,64]',
    'RESOURCE_EXHAUSTED: failed',
    'Cannot allocate memory',
    'RangeError: Array buffer allocation failed',
  ])('knows "%s"', (text) => {
    expect(speaksOfMemory(text)).toBe(true);
  });
  it('does not take every error for one', () => {
    expect(speaksOfMemory('Invalid argument: shapes differ')).toBe(false);
  });
});

describe('the kernel’s count of processes killed for memory', () => {
  const machine = { '/proc/vmstat': 'pgfault 9\noom_kill 7\n' };
  const group = { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/memory.events': 'oom 1\noom_kill 2\n' };

  it.each([
    ['this control group', { ...machine, ...group }, 2],
    ['the machine, where the group does not count', { ...machine, '/proc/self/cgroup': '0::/\n' }, 7],
    ['nothing, on other systems', {}, 0],
  ])('is that of %s', (_what, files: Readonly<Record<string, string>>, count) => {
    expect(countMemoryKills((path) => files[path])).toBe(count);
  });
});
