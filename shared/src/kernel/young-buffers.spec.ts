import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { collectBuffersYoung } from './young-buffers.js';

const PIECE_BYTES = 64 * 1024;
const PIECES = 32_768; // 2 GiB

type CollectionEntry = PerformanceEntry & { readonly detail: { readonly kind: number } };

/** How many quick collections run while so many bytes pass through buffers that live for a moment. */
async function youngCollections(): Promise<number> {
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries() as CollectionEntry[];
    count += entries.filter(({ detail }) => detail.kind === constants.NODE_PERFORMANCE_GC_MINOR).length;
  });
  observer.observe({ entryTypes: ['gc'] });
  for (let piece = 0; piece < PIECES; piece++) {
    Buffer.from(new ArrayBuffer(PIECE_BYTES)).writeUInt32LE(piece);
    if (piece % 16 === 0) await setImmediate();
  }
  await setImmediate();
  observer.disconnect();
  return count;
}

describe('buffers that live for a moment', () => {
  // One for each 16 MiB, 32 before Node 24; with V8 13.6 as it comes, none at all, because whole collections forestall them.
  it('are collected while they are young', async () => {
    collectBuffersYoung();
    expect(await youngCollections()).toBeGreaterThan(20);
  });
});
