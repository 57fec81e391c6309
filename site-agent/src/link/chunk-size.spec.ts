import { ChunkSize } from './chunk-size.js';

const MIB = 1024 ** 2;

describe('ChunkSize', () => {
  it('grows on a quick link up to what proxies bear, and stays where a request takes some seconds', () => {
    const chunks = new ChunkSize();
    expect(chunks.bytes).toBe(8 * MIB);
    chunks.adapt(10_000);
    expect(chunks.bytes).toBe(8 * MIB);
    for (let request = 0; request < 10; request++) chunks.adapt(100);
    expect(chunks.bytes).toBe(64 * MIB);
  });

  it('shrinks on a slow link, so that other sites get their turn', () => {
    const chunks = new ChunkSize();
    for (let request = 0; request < 10; request++) chunks.adapt(60_000);
    expect(chunks.bytes).toBe(MIB / 4);
  });

  it('stays below what something on the way refused', () => {
    const chunks = new ChunkSize();
    expect(chunks.shrink()).toBe(true);
    for (let request = 0; request < 10; request++) chunks.adapt(100);
    expect(chunks.bytes).toBe(2 * MIB);
    expect([chunks.shrink(), chunks.shrink(), chunks.shrink()]).toEqual([true, true, false]);
  });
});
