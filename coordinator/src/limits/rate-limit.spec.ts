import { RateLimit } from './rate-limit.js';

describe('a rate limit', () => {
  let nowMs = 1_000_000;
  const clock = { nowMs: (): number => nowMs };

  /** How many of so many acts in a row were allowed. */
  function allowed(limit: RateLimit, caller: string, acts: number): number {
    return Array.from({ length: acts }, () => limit.take(caller)).filter((waitMs) => waitMs === 0).length;
  }

  it('allows ten seconds’ worth at once, then so many a second, and says when the next is', () => {
    const limit = new RateLimit(5, clock);
    expect(allowed(limit, 'aare', 60)).toBe(50);
    expect(limit.take('aare')).toBe(200);
    nowMs += 199;
    expect(limit.take('aare')).toBe(1);
    nowMs += 1;
    expect(limit.take('aare')).toBe(0);
    nowMs += 2_000;
    expect(allowed(limit, 'aare', 60)).toBe(10);
    nowMs += 3_600_000;
    expect(allowed(limit, 'aare', 60)).toBe(50);
  });

  it('counts callers apart', () => {
    const limit = new RateLimit(1, clock);
    expect(allowed(limit, 'aare', 11)).toBe(10);
    expect(limit.take('limmat')).toBe(0);
  });

  it('gives nothing for a clock that is set back, and goes on from there', () => {
    const limit = new RateLimit(1, clock);
    allowed(limit, 'aare', 10);
    nowMs -= 6 * 3_600_000;
    expect(limit.take('aare')).toBeGreaterThan(0);
    nowMs += 1_000;
    expect(limit.take('aare')).toBe(0);
  });

  it('remembers a bounded number of callers, the latest', () => {
    const limit = new RateLimit(1, clock);
    allowed(limit, 'first', 10);
    for (let index = 0; index < 9_999; index++) limit.take(`made-up-${index}`);
    expect(limit.take('first')).toBeGreaterThan(0);
    for (let index = 0; index < 10_000; index++) limit.take(`more-${index}`);
    expect(limit.take('first')).toBe(0);
  });
});
