import { randomFillSync } from 'node:crypto';
import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { type FileRange, sendFileRange } from '@consilium/shared/kernel';
import type { HttpOrder, StreamedAnswer } from './http-order.js';
import { streamPlainly } from './streamed-body.js';

export interface HttpExchange extends HttpOrder {
  readonly file?: FileRange;
  /** A short body in the place of a file. */
  readonly text?: string;
  /** So many random bytes in the place of a file, made on the spot: to measure a line, which may compress what it can. */
  readonly randomBytes?: number;
  readonly onSent?: (bytes: number) => void;
  /** Awaited before each piece of the body. */
  readonly beforePiece?: ((bytes: number) => Promise<void>) | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/**
 * One request whose body streams from a file with a known length. Rejects with the system's error when the connection breaks; an
 * answer that comes before the body is sent (a refusal) counts and ends the sending.
 */
export async function exchange(order: HttpExchange): Promise<HttpAnswer> {
  const { file, text = '', randomBytes, onSent, beforePiece } = order;
  const bytes = file === undefined ? (randomBytes ?? Buffer.byteLength(text)) : file.to - file.from;
  const request = open(order, { 'content-length': String(bytes) });
  const answered = answerTo(request).then(async (response) => {
    const { statusCode, headers } = response;
    return { status: statusCode ?? 0, headers, body: await textOf(response) };
  });
  if (file === undefined && randomBytes === undefined) {
    request.end(text);
  } else {
    // A failure of either end reaches the request, and through it the promise above.
    const hooks = { onSent, beforePiece };
    (file === undefined ? sendRandomBytes(bytes, request, hooks) : sendFileRange(file, request, hooks)).then(
      () => request.end(),
      (cause: Error) => request.destroy(cause),
    );
  }
  try {
    return await answered;
  } finally {
    if (!request.writableEnded) request.destroy();
  }
}

const RANDOM_PIECE_BYTES = 64 * 1024;

async function sendRandomBytes(
  bytes: number,
  request: ClientRequest,
  { onSent, beforePiece }: Pick<HttpExchange, 'onSent' | 'beforePiece'>,
): Promise<void> {
  for (let left = bytes; left > 0 && !request.destroyed; left -= RANDOM_PIECE_BYTES) {
    const piece = randomFillSync(Buffer.allocUnsafe(Math.min(RANDOM_PIECE_BYTES, left)));
    await beforePiece?.(piece.length);
    await new Promise<void>((resolve) => request.write(piece, () => resolve()));
    onSent?.(piece.length);
  }
}

/** Asks for something large: resolves with the answer as soon as its head is here; its body is the caller's to read. Through a proxy Node's HTTP does it. */
export async function requestStream(order: HttpOrder): Promise<StreamedAnswer> {
  const isDirect = order.line?.proxyTo(order.url) === undefined;
  return (isDirect ? await streamPlainly(order) : undefined) ?? streamByNode(order);
}

async function streamByNode(order: HttpOrder): Promise<StreamedAnswer> {
  const request = open(order, {});
  request.end();
  const body = await answerTo(request);
  return { status: body.statusCode ?? 0, headers: body.headers, body, release: () => undefined };
}

/** A short body as text; tells of what it has taken. */
export async function textOf(body: Readable, release: (bytes: number) => void = () => undefined): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of body) {
    const bytes = Buffer.from(chunk as Buffer); // a copy: what is released is overwritten
    chunks.push(bytes);
    release(bytes.length);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function open({ url, method, headers, stallMs, signal, line }: HttpOrder, more: Readonly<Record<string, string>>): ClientRequest {
  const start = url.startsWith('https:') ? secureRequest : plainRequest;
  const request = start(url, { method, signal, headers: { ...headers, ...more }, agent: line?.agentFor(url) });
  request.setTimeout(stallMs, () => request.destroy(new Error(`nothing moved for ${stallMs} ms`)));
  return request;
}

function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request.on('error', reject).on('response', resolve));
}
