import { createHash, randomBytes } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { requestStream, textOf } from './http-exchange.js';
import type { HttpOrder, StreamedAnswer } from './http-order.js';
import { streamPlainly } from './streamed-body.js';

const CONTENT = randomBytes(9 * 1024 ** 2 + 17);

let listener: Server;
let sockets: Socket[];
let requests: string[];
/** What is done with a connection once its request is there. */
let answer: (socket: Socket) => void;

beforeEach(async () => {
  sockets = [];
  requests = [];
  listener = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.once('data', (request) => {
      requests.push(request.toString('latin1'));
      answer(socket);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => listener.close(resolve));
});

const order = (changes: Partial<HttpOrder> = {}): HttpOrder => {
  const address = listener.address();
  const port = address !== null && typeof address === 'object' ? address.port : 0;
  const url = `http://127.0.0.1:${port}/data/x?y=1`;
  return { method: 'GET', url, headers: { range: 'bytes=5-' }, stallMs: 2000, signal: new AbortController().signal, ...changes };
};

const head = (bytes: number, status = '200 OK'): string => `HTTP/1.1 ${status}\r\ncontent-length: ${bytes}\r\n\r\n`;

/** Reads to the end as slowly as asked, giving memory back only after the pause. */
async function digestOf({ body, release }: StreamedAnswer, pauseMs = 0): Promise<{ bytes: number; digest: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    if (pauseMs > 0) await pause(pauseMs);
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
    release((chunk as Buffer).length);
  }
  return { bytes, digest: hash.digest('hex') };
}

async function plainly(): Promise<StreamedAnswer> {
  const answered = await streamPlainly(order());
  if (answered === undefined) throw new Error('the answer has another form');
  return answered;
}

describe('streamPlainly', () => {
  it.each([0, 5])('gives the whole body to whoever uses it with pauses of %i ms', async (pauseMs) => {
    answer = (socket) => void socket.end(Buffer.concat([Buffer.from(head(CONTENT.length)), CONTENT]));
    const answered = await plainly();
    expect(answered).toMatchObject({ status: 200, headers: { 'content-length': String(CONTENT.length) } });
    const digest = createHash('sha256').update(CONTENT).digest('hex');
    expect(await digestOf(answered, pauseMs)).toEqual({ bytes: CONTENT.length, digest });
    expect(requests[0]).toMatch(
      /^GET \/data\/x\?y=1 HTTP\/1\.1\r\nhost: 127\.0\.0\.1:\d+\r\nrange: bytes=5-\r\nconnection: close\r\n\r\n$/,
    );
  });

  it('takes no more than its memory holds from a connection whose bytes nobody gives back', async () => {
    answer = (socket) => void socket.write(Buffer.concat([Buffer.from(head(CONTENT.length)), CONTENT]));
    const { body } = await plainly();
    let bytes = 0;
    body.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await pause(200);
    expect(bytes).toBeGreaterThan(256 * 1024);
    expect(bytes).toBeLessThanOrEqual(1024 ** 2);
    body.destroy();
  });

  it('keeps what has arrived whole when the connection ends before it is read', async () => {
    answer = (socket) => void socket.end(head(300_000) + 'x'.repeat(300_000));
    const answered = await plainly();
    await pause(100);
    expect((await digestOf(answered)).bytes).toBe(300_000);
  });

  it('gives an empty body', async () => {
    answer = (socket) => void socket.write(head(0));
    expect((await digestOf(await plainly())).bytes).toBe(0);
  });

  it.each<[string, RegExp, (socket: Socket) => void]>([
    ['is cut in the middle', /ended early|ECONNRESET/, (socket) => socket.write(CONTENT, () => socket.resetAndDestroy())],
    ['ends before its length', /ended early/, (socket) => socket.end(CONTENT.subarray(0, 1000))],
    ['is longer than announced', /more came/, (socket) => socket.write(Buffer.alloc(CONTENT.length + 2))],
    ['stands still', /nothing moved for 200 ms/, (socket) => socket.write(CONTENT.subarray(0, 1000))],
  ])('fails with a body that %s', async (_what, reason, write) => {
    answer = (socket) => {
      socket.write(head(CONTENT.length + 1));
      write(socket);
    };
    const answered = await requestStream(order({ stallMs: 200 }));
    await expect(digestOf(answered)).rejects.toThrow(reason);
  });

  it('fails where nothing answers, listens or is wanted any more', async () => {
    answer = () => undefined;
    await expect(streamPlainly(order({ stallMs: 100 }))).rejects.toThrow('nothing moved');
    answer = (socket) => socket.end('HTTP/1.1 200 OK\r\n');
    await expect(streamPlainly(order())).rejects.toThrow('ended early');
    await expect(streamPlainly(order({ signal: AbortSignal.abort() }))).rejects.toThrow('aborted');
    await expect(streamPlainly(order({ url: 'http://127.0.0.1:1/' }))).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('ends a body that is not wanted any more', async () => {
    const stop = new AbortController();
    answer = (socket) => void socket.write(head(10) + 'half');
    const answered = await requestStream(order({ signal: stop.signal }));
    setTimeout(() => stop.abort(), 20);
    await expect(digestOf(answered)).rejects.toThrow('aborted');
  });

  it('lets no line into the head', async () => {
    await expect(streamPlainly(order({ headers: { range: 'x\r\ny: z' } }))).rejects.toThrow('Invalid character');
  });

  it('leaves the text of a refusal readable', async () => {
    const text = JSON.stringify({ code: 'CREDENTIAL_REFUSED', filler: 'x'.repeat(3 * 1024 ** 2) });
    answer = (socket) => void socket.write(head(text.length, '401 Unauthorized') + text);
    const { status, body, release } = await plainly();
    expect(status).toBe(401);
    expect(await textOf(body, release)).toBe(text);
  });
});

describe('requestStream', () => {
  it('asks once more where the answer is chunked', async () => {
    answer = (socket) => socket.end('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n');
    expect(await streamPlainly(order())).toBeUndefined();
    const { body } = await requestStream(order());
    expect(await textOf(body)).toBe('hello');
    expect(requests).toHaveLength(3);
  });
});
