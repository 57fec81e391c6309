import { mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { algorithmOf, type Digest, digestOfFile, FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS } from '@consilium/shared/wire';
import { coordinatorAddress, errorOfResponse, reasonOf } from './coordinator-address.js';
import { retrying, type RetryOptions } from './retrying.js';

export interface DownloadOrder {
  readonly coordinatorUrl: string;
  readonly credential: string;
  readonly digest: Digest;
  readonly bytes: number;
  /** Where the whole, verified file appears; its bytes gather beside it as ".partial". */
  readonly path: string;
  readonly onProgress?: (receivedBytes: number) => void;
  /** Without a byte for this long the connection counts as broken. */
  readonly stallMs?: number;
}

/** Whole files that arrived with a wrong digest before the download is given up. */
const DIGEST_ATTEMPTS = 3;

/**
 * Fetches a blob by its digest. Bytes on disk are never fetched again, neither after a cut nor after a restart; the file appears
 * under its name only when its digest is right. Retries until it succeeds or is aborted; throws what the coordinator refuses.
 */
export async function downloadBlob(order: DownloadOrder, options: RetryOptions): Promise<void> {
  if ((await sizeOf(order.path)) === order.bytes) return;
  await mkdir(dirname(order.path), { recursive: true });
  const partial = `${order.path}.partial`;
  let wrongDigests = 0;
  await retrying(async (advanced) => {
    await receiveRest(order, partial, options.signal, advanced);
    if ((await digestOfFile(partial, algorithmOf(order.digest))) === order.digest) return rename(partial, order.path);
    await rm(partial, { force: true });
    throw new FederationError('DIGEST_MISMATCH', 'the model version arrived altered', {
      details: { attempts: ++wrongDigests },
      retryable: wrongDigests < DIGEST_ATTEMPTS,
      remedy: 'Something between coordinator and site changes the bytes; ask the operator to check the coordinator’s storage.',
    });
  }, options);
}

/** Appends what is missing; returns when the partial file has the full size. */
async function receiveRest(order: DownloadOrder, partial: string, signal: AbortSignal, advanced: () => void): Promise<void> {
  let offset = (await sizeOf(partial)) ?? 0;
  if (offset > order.bytes) {
    await rm(partial);
    offset = 0;
  }
  if (offset === order.bytes) return;
  const stall = new Stall(order.stallMs ?? 60_000);
  try {
    const response = await requestFrom(order, offset, AbortSignal.any([signal, stall.signal]));
    const resumed = response.status === 206 && startOfRange(response) === offset;
    offset = resumed ? offset : 0;
    offset = await append(partial, response, offset, (total) => {
      stall.reset();
      advanced();
      order.onProgress?.(total);
    });
  } catch (thrown) {
    if (thrown instanceof FederationError) throw thrown;
    const known = FederationError.from(thrown, 'TRANSFER_BROKEN');
    if (known.code !== 'TRANSFER_BROKEN') throw known;
    throw new FederationError('TRANSFER_BROKEN', `the download broke off (${reasonOf(thrown)})`, { cause: thrown });
  } finally {
    stall.end();
  }
  if (offset !== order.bytes) {
    if (offset > order.bytes) await rm(partial);
    throw new FederationError('TRANSFER_BROKEN', 'the download ended early', {
      details: { received: offset, expected: order.bytes },
    });
  }
}

async function requestFrom(order: DownloadOrder, offset: number, signal: AbortSignal): Promise<Response> {
  const response = await fetch(coordinatorAddress(order.coordinatorUrl, `${DATA_PATHS.blobs}/${order.digest}`), {
    headers: {
      authorization: `Bearer ${order.credential}`,
      // Weights do not compress, and a compressed answer could not be resumed.
      'accept-encoding': 'identity',
      ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
    },
    signal,
  });
  if (response.status === 200 || response.status === 206) return response;
  throw errorOfResponse(response.status, await response.text());
}

async function append(partial: string, response: Response, offset: number, received: (total: number) => void): Promise<number> {
  const file = await open(partial, offset === 0 ? 'w' : 'a');
  let total = offset;
  try {
    for await (const bytes of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      await file.writeFile(bytes);
      total += bytes.byteLength;
      received(total);
    }
  } finally {
    await file.sync().finally(() => file.close());
  }
  return total;
}

function startOfRange(response: Response): number | undefined {
  const match = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

/** Aborts its signal when nobody calls `reset` for a while. */
class Stall {
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout;

  constructor(private readonly limitMs: number) {
    this.timer = this.start();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  reset(): void {
    clearTimeout(this.timer);
    this.timer = this.start();
  }

  end(): void {
    clearTimeout(this.timer);
  }

  private start(): NodeJS.Timeout {
    return setTimeout(() => this.controller.abort(new Error(`no byte for ${this.limitMs} ms`)), this.limitMs);
  }
}
