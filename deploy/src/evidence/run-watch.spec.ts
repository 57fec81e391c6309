import { jest } from '@jest/globals';
import { appendFileSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLiveBlock } from '@consilium/shared/terminal';
import { lastLineOf, RunWatch } from './run-watch.js';

describe('RunWatch', () => {
  let folder: string;
  let written: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'run-watch-'));
    written = '';
    jest.useFakeTimers();
  });

  afterEach(() => {
    jest.useRealTimers();
    rmSync(folder, { recursive: true });
  });

  const blockOf = (isTTY: boolean) => createLiveBlock({ write: (text: string) => (written += text), isTTY, columns: 120 });

  it('redraws on a terminal what each run said last, and takes it away when the run has ended', () => {
    const log = join(folder, 'run.log');
    const watch = new RunWatch(blockOf(true));
    watch.begin('some-run', [log]);
    jest.advanceTimersByTime(1000);
    expect(written).toContain('some-run: starting');
    writeFileSync(log, 'step 1 of 9\n');
    jest.advanceTimersByTime(1000);
    expect(written).toContain('some-run: step 1 of 9');
    watch.end('some-run', 'some-run is done');
    written = '';
    jest.advanceTimersByTime(1000);
    expect(written).not.toContain('some-run');
    watch.stop();
    expect(jest.getTimerCount()).toBe(0);
  });

  it('says it in a line every few minutes where nothing can be redrawn', () => {
    const log = join(folder, 'run.log');
    writeFileSync(log, 'step 2 of 9\n');
    const watch = new RunWatch(blockOf(false), 60_000);
    watch.begin('some-run', [log]);
    jest.advanceTimersByTime(59_000);
    expect(written).toBe('');
    jest.advanceTimersByTime(2000);
    expect(written).toBe('  some-run: step 2 of 9\n');
    watch.stop();
  });

  it('tells of the pretraining that a run waits for, also of one that goes on after a stop, until the run itself has more to say', () => {
    const [own, awaited] = [join(folder, 'own.log'), join(folder, 'awaited.log')];
    const write = (log: string, line: string, second: number): void => {
      writeFileSync(log, `${line}\n`);
      utimesSync(log, second, second);
    };
    write(own, 'step 4 of 9, stopped', 1);
    write(awaited, 'round 3 of 36', 2);
    const watch = new RunWatch(blockOf(false), 1000);
    watch.begin('some-run', [own, awaited]);
    jest.advanceTimersByTime(1000);
    write(own, 'step 5 of 9', 3);
    jest.advanceTimersByTime(1000);
    expect(written).toBe('  some-run: round 3 of 36\n  some-run: step 5 of 9\n');
    watch.stop();
  });
});

describe('lastLineOf', () => {
  let file: string;

  beforeEach(() => (file = join(mkdtempSync(join(tmpdir(), 'last-line-')), 'a.log')));
  afterEach(() => rmSync(join(file, '..'), { recursive: true }));

  it('is the last line with anything in it, without colours, and of a bar what was drawn last', () => {
    writeFileSync(file, 'first\n\u001B[32msecond\u001B[0m  \n\n');
    expect(lastLineOf(file)).toBe('second');
    appendFileSync(file, 'step 1\rstep 2');
    expect(lastLineOf(file)).toBe('step 2');
  });

  it('is found at the end of a long log', () => {
    writeFileSync(file, `${'line after line\n'.repeat(10_000)}the end\n`);
    expect(lastLineOf(file)).toBe('the end');
  });

  it('is nothing of a log that is not there or empty', () => {
    expect(lastLineOf(file)).toBeUndefined();
    writeFileSync(file, '\n');
    expect(lastLineOf(file)).toBeUndefined();
  });
});
