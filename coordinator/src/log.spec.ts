import { Log, type LogSettings } from './log.js';

describe('the log', () => {
  let lines: string[];
  const open = (settings: Partial<LogSettings>): Log =>
    new Log({ level: 'info', levels: {}, format: 'text', ...settings }, (line) => lines.push(line));
  beforeEach(() => (lines = []));

  it('is a line of text with the time, and the level where it is not the usual one', () => {
    const log = open({});
    log.info('site aare connected', { site: 'aare' });
    log.warn('the disk is nearly full');
    log.debug('not told');
    expect(lines).toEqual([
      expect.stringMatching(/^\d\d:\d\d:\d\d site aare connected\n$/),
      expect.stringMatching(/^\d\d:\d\d:\d\d warn the disk is nearly full\n$/),
    ]);
  });

  it('is one JSON object a line where that is asked for, with part and ids', () => {
    const log = open({ format: 'json' }).part('rounds');
    log.info('lungs round 2: site-a accepted', { campaign: 'lungs', round: 2, roundId: 'round_1', site: 'site-a' });
    log.warn('two\nlines');
    const [told, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(told).toMatchObject({
      level: 'info',
      part: 'rounds',
      campaign: 'lungs',
      round: 2,
      roundId: 'round_1',
      site: 'site-a',
    });
    expect(Date.parse(String(told?.['time']))).toBeGreaterThan(Date.now() - 60_000);
    expect(second).toMatchObject({ level: 'warn', message: 'two\nlines' });
    expect(lines[1]?.indexOf('\n')).toBe((lines[1]?.length ?? 0) - 1);
  });

  it('has a level of its own for each part that was given one', () => {
    const log = open({ level: 'warn', levels: { transfer: 'debug', access: 'silent' } });
    for (const part of ['transfer', 'access', 'rounds'] as const) {
      log.part(part).debug(`${part} debug`);
      log.part(part).error(`${part} error`);
    }
    expect(lines.map((line) => line.slice(9))).toEqual([
      'debug transfer debug\n',
      'error transfer error\n',
      'error rounds error\n',
    ]);
  });

  it('tells where an error came from at the level debug', () => {
    open({ level: 'debug' }).error('it failed', new Error('inside'));
    expect(lines).toHaveLength(2);
    expect(lines[1]).toContain('Error: inside');
  });
});
