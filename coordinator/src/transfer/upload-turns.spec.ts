import { UploadTurns } from './upload-turns.js';

const { signal } = new AbortController();
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

describe('UploadTurns', () => {
  it('lets so many begin at a time and the others in the order in which they asked', async () => {
    const turns = new UploadTurns(2, 60_000);
    const begun: string[] = [];
    const ends = new Map<string, () => void>();
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      void turns.take(id, signal).then((end) => {
        begun.push(id);
        ends.set(id, end);
      });
    }
    await tick();
    expect(begun).toEqual(['a', 'b']);
    ends.get('b')?.();
    ends.get('b')?.(); // ending twice frees one place
    await tick();
    expect(begun).toEqual(['a', 'b', 'c']);
    ends.get('a')?.();
    ends.get('c')?.();
    await tick();
    expect(begun).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('sends away who has waited long enough, and keeps the place for the next time', async () => {
    const turns = new UploadTurns(1, 20);
    const end = await turns.take('a', signal);
    await expect(turns.take('early', signal)).rejects.toMatchObject({ code: 'COORDINATOR_BUSY', retryable: true });
    const begun: string[] = [];
    for (const id of ['late', 'early']) {
      void turns.take(id, signal).then((endTurn) => {
        begun.push(id);
        endTurn();
      });
    }
    end();
    await tick();
    expect(begun).toEqual(['early', 'late']);
  });

  it('frees the place of a request that was given up while it waited', async () => {
    const turns = new UploadTurns(1, 60_000);
    const end = await turns.take('a', signal);
    const stop = new AbortController();
    const given = turns.take('gone', stop.signal);
    const next = turns.take('next', signal);
    stop.abort(new Error('a new request'));
    await expect(given).rejects.toThrow('a new request');
    end();
    await expect(next).resolves.toBeInstanceOf(Function);
  });
});
