import { createReadStream } from 'node:fs';
import { type IncomingHttpHeaders, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { pipeline } from 'node:stream/promises';

/** The bytes [from, to) of a file as a request's body. */
export interface FileRange {
  readonly path: string;
  readonly from: number;
  readonly to: number;
}

export interface HttpExchange {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly file?: FileRange;
  readonly onSent?: (bytes: number) => void;
  /** A connection on which nothing moves for this long is cut. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * One request whose body streams from a file with a known length (fetch cannot do both). Rejects with the system's error when the
 * connection breaks; an answer that comes before the body is sent (a refusal) counts and ends the sending.
 */
export async function exchange(order: HttpExchange): Promise<HttpAnswer> {
  const { url, method, file, signal } = order;
  const length = file === undefined ? 0 : file.to - file.from;
  const open = url.startsWith('https:') ? secureRequest : plainRequest;
  const request = open(url, { method, signal, headers: { ...order.headers, 'content-length': length } });
  request.setTimeout(order.stallMs, () => request.destroy(new Error(`nothing moved for ${order.stallMs} ms`)));
  const answered = new Promise<HttpAnswer>((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
  });
  if (file === undefined) {
    request.end();
  } else {
    const source = createReadStream(file.path, { start: file.from, end: file.to - 1, highWaterMark: 1 << 20 });
    // A failure of either end reaches the request, and through it the promise above.
    pipeline(source, counting(order.onSent), request).catch((cause: Error) => request.destroy(cause));
  }
  try {
    return await answered;
  } finally {
    if (!request.writableEnded) request.destroy();
  }
}

function counting(onSent: ((bytes: number) => void) | undefined) {
  return async function* (source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of source) {
      yield chunk;
      onSent?.(chunk.length);
    }
  };
}
