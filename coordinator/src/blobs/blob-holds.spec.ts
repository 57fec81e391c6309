import { digestOfBytes } from '@consilium/shared/kernel';
import { BlobHolds } from './blob-holds.js';

const [ONE, TWO] = [digestOfBytes('one'), digestOfBytes('two')];

/** A promise that is settled from outside. */
function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

describe('BlobHolds', () => {
  let holds: BlobHolds;
  let removed: string[];
  beforeEach(() => {
    holds = new BlobHolds();
    removed = [];
  });
  const remove = (digest: typeof ONE) => holds.removeUnlessHeld(digest, async () => void removed.push(digest));

  it.each([[[ONE]], ['all' as const]])('keeps what is held (%j), until nobody holds it', async (what) => {
    const [first, second] = [gate(), gate()];
    const works = [holds.during(what, () => first.opened), holds.during([ONE], () => second.opened)];
    expect(await remove(ONE)).toBe(false);
    first.open();
    await works[0];
    expect(await remove(ONE)).toBe(false);
    second.open();
    await works[1];
    expect(await remove(ONE)).toBe(true);
    expect(removed).toEqual([ONE]);
  });

  it('removes what others do not hold', async () => {
    const work = gate();
    const holding = holds.during([ONE], () => work.opened);
    expect(await remove(TWO)).toBe(true);
    work.open();
    await holding;
  });

  it.each([[[ONE]], ['all' as const]])('lets a work (%j) begin only when a removal is done', async (what) => {
    const removal = gate();
    const happened: string[] = [];
    const removing = holds.removeUnlessHeld(ONE, async () => {
      await removal.opened;
      happened.push('removed');
    });
    const working = holds.during(what, async () => void happened.push('written'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(happened).toEqual([]);
    removal.open();
    await Promise.all([removing, working]);
    expect(happened).toEqual(['removed', 'written']);
  });

  it('gives back what a failing work or removal took', async () => {
    await expect(holds.during([ONE], () => Promise.reject(new Error('no disk')))).rejects.toThrow('no disk');
    await expect(holds.removeUnlessHeld(ONE, () => Promise.reject(new Error('no store')))).rejects.toThrow('no store');
    expect(await remove(ONE)).toBe(true);
    expect(await holds.during([ONE], () => Promise.resolve(1))).toBe(1);
  });
});
