import { ReceiveRing } from './receive-ring.js';

describe('ReceiveRing', () => {
  it('gives regions one after the other, wraps, and never one that is still in use', () => {
    const ring = new ReceiveRing(64, 16);
    const inUse: { region: Buffer; text: string }[] = [];
    let filled = 0;
    for (let turn = 0; turn < 200; turn++) {
      while (!ring.hasRoom) {
        const oldest = inUse.shift();
        expect(oldest?.region.toString('latin1')).toBe(oldest?.text);
        ring.release(oldest?.region.length ?? 0);
      }
      const region = ring.region();
      expect(region.length).toBeGreaterThan(0);
      expect(region.length).toBeLessThanOrEqual(16);
      const bytes = Math.min(region.length, 1 + ((turn * 7) % 16));
      const text = String.fromCharCode(65 + (turn % 26)).repeat(bytes);
      region.write(text, 'latin1');
      ring.fill(bytes);
      inUse.push({ region: region.subarray(0, bytes), text });
      filled += bytes;
    }
    expect(filled).toBeGreaterThan(20 * 64);
  });

  it('keeps a whole read in reserve after it has said that there is no room', () => {
    const ring = new ReceiveRing(64, 16);
    while (ring.hasRoom) ring.fill(ring.region().length);
    expect(ring.region()).toHaveLength(16);
    ring.fill(16);
    expect(ring.region()).toHaveLength(0);
    ring.release(32);
    expect(ring.hasRoom).toBe(true);
  });
});
