import { sumGradients, tradeGradients } from './exchange-gradients.js';
import { bytesOf, bytesOfNumber, FRAME, type FrameChannel, numberIn } from './frame-channel.js';
import { connectChannels } from '../../../../test/fixtures/connected-channels.js';

describe('frames between two trainers', () => {
  let ends: [FrameChannel, FrameChannel];
  beforeEach(async () => {
    ends = await connectChannels();
  });
  afterEach(() => ends.forEach((end) => end.end()));

  it('arrive whole and in order, the empty one too', async () => {
    const [left, right] = ends;
    const values = Float32Array.from({ length: 300_000 }, (_, i) => Math.fround(Math.sin(i)));
    const sent = [left.send(FRAME.step, bytesOfNumber(7)), left.send(FRAME.ready, new Uint8Array(0))];
    sent.push(left.send(FRAME.values, bytesOf(values)));
    expect(numberIn((await right.receiveAny()).body)).toBe(7);
    expect((await right.receive(FRAME.ready)).byteLength).toBe(0);
    const place = new Float32Array(values.length);
    await right.receiveInto(FRAME.values, bytesOf(place));
    expect(place).toEqual(values);
    await Promise.all(sent);
  });

  it('refuses a frame that is not due', async () => {
    const [left, right] = ends;
    await left.send(FRAME.loss, bytesOfNumber(1));
    await expect(right.receive(FRAME.sum)).rejects.toMatchObject({ code: 'INVARIANT' });
  });

  it('gives what was sent before the end, then says that the connection broke', async () => {
    const [left, right] = ends;
    await left.send(FRAME.loss, bytesOfNumber(0.25));
    left.end();
    expect(numberIn(await right.receive(FRAME.loss))).toBe(0.25);
    await expect(right.receive(FRAME.loss)).rejects.toMatchObject({ code: 'TRANSFER_BROKEN', retryable: true });
    await expect(right.send(FRAME.sum, new Uint8Array(1_000_000))).rejects.toMatchObject({ code: 'TRANSFER_BROKEN' });
  });

  it('wakes whoever waits when the other end goes', async () => {
    const [left, right] = ends;
    const waiting = right.receive(FRAME.loss);
    left.end();
    await expect(waiting).rejects.toMatchObject({ code: 'TRANSFER_BROKEN' });
  });
});

describe('the exchange of gradients', () => {
  it('gives all the same sum, made in the order of the devices, also beyond what the sockets hold', async () => {
    const length = 1_000_003;
    const part = (device: number): Float32Array =>
      Float32Array.from({ length }, (_, i) => Math.sin(i * (device + 1)) * 10 ** ((i % 7) - 3));
    const [first, second] = [await connectChannels(), await connectChannels()];
    const parts = [part(0), part(1), part(2)] as const;
    const expected = parts[0].map((value, i) =>
      Math.fround(Math.fround(value + (parts[1][i] as number)) + (parts[2][i] as number)),
    );
    await Promise.all([
      sumGradients(parts[0], new Float32Array(length), [first[0], second[0]]),
      tradeGradients(parts[1], first[1]),
      tradeGradients(parts[2], second[1]),
    ]);
    for (const sum of parts) expect(Buffer.from(bytesOf(sum)).equals(bytesOf(expected))).toBe(true);
    for (const channel of [...first, ...second]) channel.end();
  });
});
