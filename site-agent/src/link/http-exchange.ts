import { type ClientRequest, type IncomingHttpHeaders, type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { type FileRange, sendFileRange } from '@consilium/shared/kernel';

export interface HttpOrder {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A connection on which nothing moves for this long is cut. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
}

export interface HttpExchange extends HttpOrder {
  readonly file?: FileRange;
  readonly onSent?: (bytes: number) => void;
  /** Awaited before each piece of the file. */
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
  const { file, onSent, beforePiece } = order;
  const request = open(order, { 'content-length': String(file === undefined ? 0 : file.to - file.from) });
  const answered = answerTo(request).then(async (response) => {
    const { statusCode, headers } = response;
    return { status: statusCode ?? 0, headers, body: await textOf(response) };
  });
  if (file === undefined) {
    request.end();
  } else {
    // A failure of either end reaches the request, and through it the promise above.
    sendFileRange(file, request, { onSent, beforePiece }).then(
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

/** Asks for something large: resolves with the response as soon as its head is here; its body is the caller's to read. */
export async function requestStream(order: HttpOrder): Promise<IncomingMessage> {
  const request = open(order, {});
  request.end();
  return answerTo(request);
}

/** A short body as text. */
export async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

function open({ url, method, headers, stallMs, signal }: HttpOrder, more: Readonly<Record<string, string>>): ClientRequest {
  const start = url.startsWith('https:') ? secureRequest : plainRequest;
  const request = start(url, { method, signal, headers: { ...headers, ...more } });
  request.setTimeout(stallMs, () => request.destroy(new Error(`nothing moved for ${stallMs} ms`)));
  return request;
}

function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => request.on('error', reject).on('response', resolve));
}
