import { parseSiteHours } from './site-hours.js';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** January 2026 begins on a Thursday; the 5th is a Monday. Local time, as the hours are; no zone changes its clocks then. */
const at = (day: number, hour: number, minute = 0, second = 0): number => new Date(2026, 0, day, hour, minute, second).getTime();

describe('site hours', () => {
  it.each<[string, string, number, number]>([
    ['nights, in the afternoon', '20:00-06:00', at(5, 15), 5 * HOUR_MS],
    ['nights, a moment before', '20:00-06:00', at(5, 19, 59, 30), 30_000],
    ['nights, as they begin', '20:00-06:00', at(5, 20), 0],
    ['nights, after midnight', '20:00-06:00', at(6, 5, 59, 59), 0],
    ['nights, as they end', '20:00-06:00', at(6, 6), 14 * HOUR_MS],
    ['a range within a day', '12:15-13:30', at(5, 13, 30), 22 * HOUR_MS + 45 * MINUTE_MS],
    ['working nights, on Friday after midnight', 'Mon-Fri 20:00-06:00', at(10, 3), 0],
    ['working nights, on Saturday evening', 'Mon-Fri 20:00-06:00', at(10, 21), 47 * HOUR_MS],
    ['working nights, on Monday after midnight', 'Mon-Fri 20:00-06:00', at(5, 3), 17 * HOUR_MS],
    ['nights and weekends', 'Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00', at(10, 12), 0],
    ['the end of such a weekend', 'Mon-Fri 20:00-06:00, Sat-Sun 00:00-24:00', at(12, 0), 20 * HOUR_MS],
    ['days over the end of the week', 'Fri-Mon 08:00-09:00', at(11, 8, 30), 0],
    ['a night over the end of the week', 'Sat 22:00-02:00', at(11, 1), 0],
    ['one day', 'Wed 01:00-02:00', at(7, 2), 6 * 24 * HOUR_MS + 23 * HOUR_MS],
    ['always', '00:00-24:00', at(5, 12), 0],
  ])('%s: %s', (_name, text, nowMs, restsForMs) => {
    expect(parseSiteHours(text).restsForMs(nowMs)).toBe(restsForMs);
  });

  it.each<[string, number, number]>([
    ['20:00-06:00', at(5, 15), 5 * HOUR_MS],
    ['20:00-06:00', at(5, 21), 9 * HOUR_MS],
    ['20:00-24:00, 00:00-06:00', at(5, 21), 9 * HOUR_MS],
    ['Sat-Sun 00:00-24:00', at(10, 12), 36 * HOUR_MS],
    ['00:00-24:00', at(5, 12), Infinity],
  ])('%s: says when that changes', (text, nowMs, changesInMs) => {
    expect(parseSiteHours(text).changesInMs(nowMs)).toBe(changesInMs);
  });

  it('rests and trains as a look at every minute of a week says', () => {
    // Written down by hand: nights from Monday to Friday into the next morning, Saturday from noon.
    const trains = (day: number, hour: number): boolean =>
      (day >= 1 && day <= 5 && hour >= 20) || (day >= 2 && day <= 6 && hour < 6) || (day === 6 && hour >= 12);
    const hours = parseSiteHours('mon-fri 20:00-06:00,sat 12:00-24:00');
    for (let nowMs = at(4, 0); nowMs < at(11, 0); nowMs += 7 * MINUTE_MS) {
      const now = new Date(nowMs);
      expect(hours.restsForMs(nowMs) === 0).toBe(trains(now.getDay(), now.getHours()));
      const then = new Date(nowMs + hours.changesInMs(nowMs));
      expect(trains(then.getDay(), then.getHours())).toBe(!trains(now.getDay(), now.getHours()));
    }
  });

  it.each([
    '',
    'always',
    '20-06',
    '20:00',
    '20:00-20:00',
    '24:00-06:00',
    '25:00-26:00',
    '20:60-21:00',
    'Mo 20:00-06:00',
    'Mon- 20:00-06:00',
  ])('refuses "%s"', (text) => {
    expect(() => parseSiteHours(text)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }) as Error);
  });
});
