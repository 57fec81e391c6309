import { systemClock } from './clock.js';

describe('the clock of this machine', () => {
  it('calls back once after a delay, and again and again on an interval, until it is told to stop', async () => {
    const calls: string[] = [];
    const cancelled = systemClock.after(1, () => calls.push('cancelled'));
    cancelled();
    cancelled();
    await new Promise<void>((resolve) => {
      const end = systemClock.every(2, () => {
        if (calls.push('every') < 3) return;
        end();
        systemClock.after(20, resolve);
      });
      expect(calls).toEqual([]);
    });
    expect(calls).toEqual(['every', 'every', 'every']);
  });
});
