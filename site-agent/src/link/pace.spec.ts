import { paceOf } from './pace.js';

describe('paceOf', () => {
  it('lets the first piece go at once and the following ones at the rate, all callers together', async () => {
    const beforePiece = paceOf(1_000_000);
    const startedMs = performance.now();
    await beforePiece(50_000);
    const firstMs = performance.now() - startedMs;
    await Promise.all([beforePiece(50_000), beforePiece(50_000)]);
    const takenMs = performance.now() - startedMs;
    expect(firstMs).toBeLessThan(40);
    expect(takenMs).toBeGreaterThan(95);
  });

  it('does not save up for later what was not used', async () => {
    let nowMs = 0;
    const beforePiece = paceOf(1_000_000, () => nowMs);
    await beforePiece(10_000);
    nowMs = 60_000;
    await beforePiece(10_000);
    const startedMs = performance.now();
    await beforePiece(10_000);
    expect(performance.now() - startedMs).toBeGreaterThan(5);
  });
});
