import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { sendFileRange } from './file-range.js';

const content = randomBytes(3_000_000);

let folder: string;
let path: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'range-'));
  path = join(folder, 'file');
  await writeFile(path, content);
});

afterEach(() => rm(folder, { recursive: true }));

/** Looks at each piece only when it is done with it, so that a buffer used again too early would show. */
class SlowTarget extends Writable {
  readonly received: Buffer[] = [];

  override _write(piece: Buffer, _encoding: string, done: () => void): void {
    setTimeout(() => {
      this.received.push(Buffer.from(piece));
      done();
    }, 3);
  }
}

describe('sendFileRange', () => {
  it.each([
    [0, content.length],
    [1, 2],
    [524_288, 1_048_576],
    [1_000_003, content.length],
    [7, 7],
  ])('sends the bytes from %d to %d, to a slow receiver too', async (from, to) => {
    const target = new SlowTarget();
    let sent = 0;
    await sendFileRange({ path, from, to }, target, { onSent: (bytes) => (sent += bytes) });
    expect(Buffer.compare(Buffer.concat(target.received), content.subarray(from, to))).toBe(0);
    expect(sent).toBe(to - from);
    expect(target.writableEnded).toBe(false);
  });

  it('ends when the receiver goes away, even one that calls nothing back', async () => {
    const target = new PassThrough({ highWaterMark: 1 });
    setTimeout(() => target.destroy(), 20);
    await expect(sendFileRange({ path, from: 0, to: content.length }, target)).rejects.toThrow();
    await expect(sendFileRange({ path, from: 0, to: content.length }, target)).rejects.toThrow();
  });

  it('says that the file is shorter than the range', async () => {
    const sending = sendFileRange({ path, from: 0, to: content.length + 1 }, new SlowTarget());
    await expect(sending).rejects.toMatchObject({ code: 'STORAGE_FAILED', retryable: false });
  });
});
