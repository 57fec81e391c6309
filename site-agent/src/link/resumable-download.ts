import { mkdir, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { algorithmOf, type Digest, FederationError, FollowingDigest, GrowingFile } from '@consilium/shared/kernel';
import { DATA_PATHS } from '@consilium/shared/wire';
import { coordinatorAddress, errorOfResponse, reasonOf } from './coordinator-address.js';
import { requestStream, textOf } from './http-exchange.js';
import type { StreamedAnswer } from './http-order.js';
import { type CoordinatorAccess, sendAs } from './request-identity.js';
import { retrying, type RetryOptions } from './retrying.js';

export interface DownloadOrder extends CoordinatorAccess {
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
 * Fetches a blob by its digest, which is computed while the bytes arrive. Bytes on disk are never fetched again, neither after a
 * cut nor after a restart; the file appears under its name only when its digest is right and it is on disk. Retries until it
 * succeeds or is aborted; throws what the coordinator refuses.
 */
export async function downloadBlob(order: DownloadOrder, options: RetryOptions): Promise<void> {
  if ((await sizeOf(order.path)) === order.bytes) return;
  await mkdir(dirname(order.path), { recursive: true });
  const partial = `${order.path}.partial`;
  const digest = new FollowingDigest(algorithmOf(order.digest));
  let wrongDigests = 0;
  await retrying(async (advanced) => {
    if ((await receiveRest(order, partial, digest, options.signal, advanced)) === order.digest)
      return rename(partial, order.path);
    await rm(partial, { force: true });
    throw new FederationError('DIGEST_MISMATCH', 'the model version arrived altered', {
      details: { attempts: ++wrongDigests },
      retryable: wrongDigests < DIGEST_ATTEMPTS,
      remedy: 'Something between coordinator and site changes the bytes; ask the operator to check the coordinator’s storage.',
    });
  }, options);
}

/** Appends what is missing; returns the digest once the partial file has the full size and lies on disk. */
async function receiveRest(
  order: DownloadOrder,
  partial: string,
  digest: FollowingDigest,
  signal: AbortSignal,
  advanced: () => void,
): Promise<Digest> {
  if (((await sizeOf(partial)) ?? 0) > order.bytes) await rm(partial);
  const file = await GrowingFile.open(partial, digest);
  try {
    if (file.bytes < order.bytes) {
      await receive(order, file, signal, (bytes) => {
        if (bytes > 0) advanced();
        order.onProgress?.(file.bytes);
      });
    }
    // Not flushed: whoever reads the file checks its digest again, so that one which a power cut has spoilt is fetched anew.
    return await file.finish();
  } finally {
    await file.close();
  }
}

async function receive(
  order: DownloadOrder,
  file: GrowingFile,
  signal: AbortSignal,
  onWritten: (bytes: number) => void,
): Promise<void> {
  try {
    const answer = await requestFrom(order, file.bytes, signal);
    try {
      if (answer.status === 200) await file.clear(); // whole, although a part was asked for
      requireWeights(answer, order, order.bytes - file.bytes);
      await file.append(answer.body, order.bytes - file.bytes, (bytes) => {
        answer.release(bytes);
        onWritten(bytes);
      });
    } finally {
      answer.body.destroy();
    }
  } catch (thrown) {
    if (thrown instanceof FederationError && thrown.code !== 'TRANSFER_BROKEN') throw thrown;
    throw new FederationError('TRANSFER_BROKEN', `the download broke off (${reasonOf(thrown)})`, { cause: thrown });
  }
  if (file.bytes === order.bytes) return;
  throw new FederationError('TRANSFER_BROKEN', 'the download ended early', {
    details: { received: file.bytes, expected: order.bytes },
  });
}

async function requestFrom(order: DownloadOrder, offset: number, signal: AbortSignal): Promise<StreamedAnswer> {
  const { line } = order;
  const asked = { method: 'GET', url: coordinatorAddress(order.coordinatorUrl, `${DATA_PATHS.blobs}/${order.digest}`) };
  const headers = {
    // Weights do not compress, and a compressed answer could not be resumed.
    'accept-encoding': 'identity',
    ...(offset > 0 ? { range: `bytes=${offset}-`, 'if-range': `"${order.digest}"` } : {}),
  };
  const answer = await sendAs(
    order.identity,
    asked,
    (letIn) => requestStream({ ...asked, headers: { ...headers, ...letIn }, stallMs: order.stallMs ?? 60_000, signal, line }),
    ({ body }) => body.on('error', () => undefined).destroy(),
  );
  if (answer.status === 200 || (answer.status === 206 && startOfRange(answer) === offset)) return answer;
  throw errorOfResponse(answer.status, await textOf(answer.body, answer.release));
}

/** What answers in the coordinator's place (the sign-in page of a hotel's network) must not end up among the weights. */
function requireWeights({ headers }: StreamedAnswer, { digest }: DownloadOrder, bytes: number): void {
  const isOther = headers.etag !== undefined && headers.etag !== `"${digest}"`;
  const isCoded = headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity';
  const length = headers['content-length'] === undefined ? bytes : Number(headers['content-length']);
  if (!isOther && !isCoded && length === bytes) return;
  throw new FederationError('TRANSFER_BROKEN', 'something else than the weights was answered', { details: { length, bytes } });
}

function startOfRange({ headers }: StreamedAnswer): number | undefined {
  const match = /^bytes (\d+)-/.exec(headers['content-range'] ?? '');
  return match?.[1] === undefined ? undefined : Number(match[1]);
}

async function sizeOf(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}
