import { constants, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate } from 'node:timers/promises';
import { collectBuffersYoung } from './young-buffers.js';

const PIECE_BYTES = 64 * 1024;
const PIECES = 32_768; // 2 GiB

/** How many collections of the whole heap run while so many bytes pass through short-lived buffers. */
async function majorCollections(): Promise<number> {
  let count = 0;
  const observer = new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries()) {
      if ((detail as { kind: number }).kind === constants.NODE_PERFORMANCE_GC_MAJOR) count++;
    }
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
  it('are collected without marking the whole heap', async () => {
    collectBuffersYoung();
    expect(await majorCollections()).toBeLessThan(5);
  });
});
