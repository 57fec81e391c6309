import { BatchRing, type PairPlace } from './batch-ring.js';

const PLAN = { sizeVoxels: [2, 2, 2], batchSize: 5, share: { first: 2, count: 3 }, firstStep: 7, slots: 2 } as const;

/** Takes as many places as there are now, as threads would. */
function takeAll(ring: BatchRing, count: number): PairPlace[] {
  return Array.from({ length: count }, () => ring.take());
}

function fillWith(place: PairPlace, value: number): void {
  place.input.fill(value);
  place.target.fill(-value);
}

describe('BatchRing', () => {
  it('hands out the pairs of the share of each step, one after the other', () => {
    const places = takeAll(BatchRing.create(PLAN), 6);
    expect(places.map(({ step }) => step)).toEqual([7, 7, 7, 8, 8, 8]);
    expect(places.map(({ index }) => index)).toEqual([37, 38, 39, 42, 43, 44]);
  });

  it('shows a batch when all its places are filled, each where it belongs, in whatever order', () => {
    const ring = BatchRing.create(PLAN);
    const [first, second, third] = takeAll(ring, 6) as [PairPlace, PairPlace, PairPlace];
    for (const [place, complete] of [
      [third, false],
      [first, false],
      [second, true],
    ] as const) {
      expect(ring.isComplete(7)).toBe(false);
      fillWith(place, place.index);
      expect(ring.fill(place)).toBe(complete);
    }
    const { patches, input, target } = ring.batch(7);
    expect(patches).toBe(3);
    expect([...input]).toEqual([37, 38, 39].flatMap((index) => new Array<number>(8).fill(index)));
    expect([...target]).toEqual([...input].map((value) => -value));
    expect(() => ring.batch(8)).toThrow(/complete/);
  });

  it('allows no place beyond its slots until one is given back, and uses that memory again', () => {
    const ring = BatchRing.create(PLAN);
    const places = takeAll(ring, 6);
    const other = new BatchRing(ring.shared); // as a thread sees it
    for (const place of places) other.fill(place);
    const before = ring.batch(7).input;
    const [taken, allowed] = new Int32Array(ring.shared.counters);
    expect([taken, allowed]).toEqual([6, 6]);
    ring.release(7);
    expect(ring.isComplete(8)).toBe(true);
    const next = other.take();
    expect([next.step, next.index]).toEqual([9, 47]);
    expect(next.input.buffer).toBe(before.buffer);
    expect(ring.isComplete(9)).toBe(false);
  });
});
