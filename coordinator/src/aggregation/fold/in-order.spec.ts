import { setTimeout as pause } from 'node:timers/promises';
import { Random } from '@consilium/shared/kernel';
import { inOrder } from './in-order.js';

describe('inOrder', () => {
  it('uses results in the order of the tasks, and a lane waits until its result is used', async () => {
    const random = new Random('lanes');
    const used: number[] = [];
    const waiting = new Set<string>();
    await inOrder(['a', 'b', 'c'], 40, {
      run: async (lane, task) => {
        expect(waiting.has(lane)).toBe(false);
        waiting.add(lane);
        await pause(random.integer(0, 2));
        return { lane, task };
      },
      use: ({ lane, task }) => {
        waiting.delete(lane);
        used.push(task);
      },
      signal: undefined,
    });
    expect(used).toEqual(Array.from({ length: 40 }, (_, task) => task));
  });

  it('ends with the first failure in order, once everything begun has ended, and begins nothing more', async () => {
    let [begun, ended] = [0, 0];
    const work = inOrder([1, 2, 3], 100, {
      run: async (_, task) => {
        begun++;
        await pause(task === 4 ? 1 : 5);
        ended++;
        if (task >= 4) throw new Error(`task ${task}`);
      },
      use: () => undefined,
      signal: undefined,
    });
    await expect(work).rejects.toThrow('task 4');
    expect(ended).toBe(begun);
    expect(begun).toBeLessThan(10);
  });

  it('stops when told to', async () => {
    const stopped = new AbortController();
    let used = 0;
    const work = inOrder([1], 100, {
      run: () => pause(0),
      use: () => void (++used === 3 && stopped.abort()),
      signal: stopped.signal,
    });
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    expect(used).toBe(3);
  });
});
