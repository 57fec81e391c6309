import { FederationError } from '@consilium/shared/kernel';
import { backoffDelayMs, pause } from './backoff.js';
import { retrying } from './retrying.js';

describe('backoff', () => {
  const plan = { firstMs: 500, capMs: 30_000, floorMs: 100 };

  it.each([
    [0, 0, 100],
    [0, 0.999999, 500],
    [3, 0.5, 2050],
    [6, 0.999999, 30_000],
    [1000, 0.999999, 30_000],
  ])('after %i failures with %f waits about %i ms', (failures, uniform, expected) => {
    expect(Math.round(backoffDelayMs(failures, uniform, plan))).toBe(expected);
  });

  it('pauses no longer than until the signal', async () => {
    const stop = new AbortController();
    const started = Date.now();
    setTimeout(() => stop.abort(), 10);
    await pause(60_000, stop.signal);
    await pause(60_000, stop.signal);
    expect(Date.now() - started).toBeLessThan(5000);
  });
});

describe('retrying', () => {
  const backoff = { firstMs: 1, capMs: 1, floorMs: 0 };

  it('repeats what may heal and says why', async () => {
    const waits: string[] = [];
    let attempts = 0;
    const attempt = async (): Promise<string> => {
      if (++attempts === 1) throw Object.assign(new Error('full'), { code: 'ENOSPC' });
      if (attempts === 2) throw new FederationError('TRANSFER_BROKEN', 'cut');
      return 'done';
    };
    const options = { signal: new AbortController().signal, backoff, onWait: ({ code }: FederationError) => waits.push(code) };
    await expect(retrying(attempt, options)).resolves.toBe('done');
    expect(waits).toEqual(['DISK_FULL', 'TRANSFER_BROKEN']);
  });

  it('throws what will not heal at once', async () => {
    let attempts = 0;
    const attempt = async (): Promise<void> => {
      attempts++;
      throw new FederationError('ROUND_CLOSED', 'closed');
    };
    await expect(retrying(attempt, { signal: new AbortController().signal, backoff })).rejects.toMatchObject({
      code: 'ROUND_CLOSED',
    });
    expect(attempts).toBe(1);
  });
});
