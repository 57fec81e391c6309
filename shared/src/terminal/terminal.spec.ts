import { createLog } from './log.js';
import { createLiveBlock } from './live-block.js';
import { createProgress, formatBar, timeLeftMs } from './progress-bar.js';
import { formatTable } from './table.js';

function recorder(isTTY: boolean, columns = 100) {
  const written: string[] = [];
  return { isTTY, columns, written, write: (text: string) => written.push(text) };
}

describe('progress line', () => {
  it('redraws in place on a terminal, at most every 100 ms', () => {
    const stream = recorder(true);
    let nowMs = 0;
    const progress = createProgress({ label: 'indexing', total: 10, stream, clock: { nowMs: () => nowMs } });
    nowMs = 1000;
    progress.update(1);
    progress.update(2); // too soon to draw
    nowMs = 5000;
    progress.update(5, 'CT');
    progress.finish();
    progress.update(9);
    expect(stream.written).toHaveLength(3);
    expect(stream.written[1]).toContain('5/10  5.0 s left  CT');
    expect(stream.written[2]).toMatch(/^\r.*in 5\.0 s.*\n$/);
  });

  it('prints a plain line every five seconds elsewhere', () => {
    const stream = recorder(false);
    let nowMs = 0;
    const progress = createProgress({ label: 'indexing', total: 4, stream, clock: { nowMs: () => nowMs } });
    progress.update(1);
    nowMs = 6000;
    progress.update(3);
    progress.finish('done');
    expect(stream.written).toEqual(['indexing  75 %  3/4  2.0 s left\n', 'indexing  75 %  3/4  in 6.0 s  done\n']);
  });

  it('never wraps a redrawn line', () => {
    const stream = recorder(true, 40);
    const progress = createProgress({ label: 'x'.repeat(80), total: 1, stream });
    progress.update(1);
    expect(stream.written[0]?.slice('\r\u001B[2K'.length).length).toBe(39);
  });

  it('draws bars and knows the time left', () => {
    expect(formatBar(0.5, 4)).toBe('██░░');
    expect(formatBar(7, 4)).toBe('████');
    expect(timeLeftMs(0, 5, 100)).toBeUndefined();
    expect(timeLeftMs(1, 5, 100)).toBe(400);
  });
});

describe('table', () => {
  it('aligns numbers right and text left', () => {
    const table = formatTable(
      ['site', 'loss'],
      [
        ['aare', 0.25],
        ['limmat', 3],
      ],
    );
    expect(table).toBe('site    loss\n──────  ────\naare    0.25\nlimmat     3');
  });
});

describe('log', () => {
  it('writes one line per event from its level upwards', () => {
    const stream = recorder(false);
    const log = createLog({ level: 'warn', stream, clock: { nowMs: () => new Date(2026, 0, 1, 9, 5, 7).getTime() } });
    log.info('hidden');
    log.warn('careful');
    expect(stream.written).toEqual(['09:05:07  warning: careful\n']);
  });

  it('writes one object per line where that is asked for', () => {
    const stream = recorder(false);
    const log = createLog({ format: 'json', facts: { site: 'aare' }, stream, clock: { nowMs: () => 0 } });
    log.warn('two\nlines');
    expect(stream.written).toHaveLength(1);
    expect(stream.written[0]).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(stream.written[0] ?? '')).toEqual({
      ...{ time: '1970-01-01T00:00:00.000Z', level: 'warn', site: 'aare', message: 'two\nlines' },
    });
  });
});

describe('live block', () => {
  it('replaces its lines and keeps printed ones above', () => {
    const stream = recorder(true);
    const block = createLiveBlock(stream);
    block.render(['a', 'b']);
    block.printAbove('event');
    block.render(['c']);
    expect(stream.written).toEqual(['a\nb\n', '\u001B[2A\r\u001B[0Jevent\na\nb\n', '\u001B[2A\r\u001B[0Jc\n']);
  });
});
