import { stat } from 'node:fs/promises';
import { type Digest, FederationError, type FileRange, required } from '@consilium/shared/kernel';
import { DATA_PATHS, UPLOAD_METADATA } from '@consilium/shared/wire';
import { coordinatorAddress, errorOfResponse, reasonOf } from './coordinator-address.js';
import { ChunkSize } from './chunk-size.js';
import { exchange, type HttpAnswer } from './http-exchange.js';
import { type CoordinatorAccess, sendAs } from './request-identity.js';
import { retrying, type RetryOptions } from './retrying.js';

export interface UploadOrder extends CoordinatorAccess {
  readonly participationId: string;
  readonly digest: Digest;
  readonly path: string;
  /** What {@link UploadOrder.onCreated} gave earlier, to continue that upload. */
  readonly uploadId: string | undefined;
  /** The coordinator has created an upload: keep the identifier where it survives a crash. */
  readonly onCreated: (uploadId: string) => void;
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void;
  /** Awaited before each piece of the file goes out, given its size: see {@link paceOf}. */
  readonly beforePiece?: ((bytes: number) => Promise<void>) | undefined;
  /** A connection on which nothing moves for this long counts as broken. */
  readonly stallMs?: number;
}

/** Whole uploads that arrived altered before the delivery is given up. */
const DIGEST_ATTEMPTS = 3;

/**
 * Delivers a file and returns the upload's identifier. Speaks tus 1.0 (tus.io, "Resumable upload protocol 1.0.x": creation, HEAD,
 * PATCH). After a cut or a restart it asks for the offset that the coordinator has and goes on from there, so accepted bytes are
 * never sent again; only an upload that the coordinator does not know, or whose bytes arrived altered, starts afresh. Retries
 * until it succeeds or is aborted; throws what the coordinator refuses.
 */
export async function uploadFile(order: UploadOrder, options: RetryOptions): Promise<string> {
  const upload = new TusUpload(order, options.signal);
  return retrying((advanced) => upload.attempt(advanced), options);
}

class TusUpload {
  private readonly endpoint: string;
  private readonly chunks = new ChunkSize();
  private uploadId: string | undefined;
  private wrongDigests = 0;

  constructor(
    private readonly order: UploadOrder,
    private readonly signal: AbortSignal,
  ) {
    this.endpoint = coordinatorAddress(order.coordinatorUrl, DATA_PATHS.uploads);
    this.uploadId = order.uploadId;
  }

  async attempt(advanced: () => void): Promise<string> {
    const total = await sizeOf(this.order.path);
    let offset = (await this.knownOffset()) ?? (await this.create(total));
    this.order.onProgress?.(offset, total);
    while (offset < total) {
      offset = await this.append(offset, total);
      advanced();
    }
    this.order.onProgress?.(total, total);
    return required(this.uploadId, 'the upload’s identifier');
  }

  /** What the coordinator already has, or undefined when it has no such upload (any more). */
  private async knownOffset(): Promise<number | undefined> {
    if (this.uploadId === undefined) return undefined;
    const answer = await this.send('HEAD', `${this.endpoint}/${this.uploadId}`, {});
    if (answer.status === 404 || answer.status === 410) return undefined;
    return offsetOf(accepted(answer));
  }

  private async create(total: number): Promise<number> {
    const { participationId, digest } = this.order;
    const metadata = { [UPLOAD_METADATA.participationId]: participationId, [UPLOAD_METADATA.digest]: digest };
    const answer = await this.send('POST', this.endpoint, {
      'upload-length': String(total),
      'upload-metadata': Object.entries(metadata)
        .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
        .join(','),
    });
    this.uploadId = uploadIdOf(accepted(answer));
    this.order.onCreated(this.uploadId);
    return 0;
  }

  private async append(offset: number, total: number): Promise<number> {
    const file = { path: this.order.path, from: offset, to: Math.min(total, offset + this.chunks.bytes) };
    let sent = offset;
    const onSent = (bytes: number): void => this.order.onProgress?.((sent += bytes), total);
    const headers = { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' };
    const startedMs = performance.now();
    const answer = await this.send('PATCH', `${this.endpoint}/${this.uploadId}`, headers, { file, onSent });
    if (answer.status === 413 && this.chunks.shrink()) return offset;
    const reached = offsetOf(this.requireUnaltered(answer));
    if (reached <= offset) {
      throw new FederationError('TRANSFER_BROKEN', 'the coordinator took no byte of the upload', { details: { offset } });
    }
    this.chunks.adapt(performance.now() - startedMs);
    return reached;
  }

  /** The coordinator drops an upload whose bytes are not those of the digest; the next attempt creates another. */
  private requireUnaltered(answer: HttpAnswer): HttpAnswer {
    try {
      return accepted(answer);
    } catch (thrown) {
      if (!(thrown instanceof FederationError) || thrown.code !== 'DIGEST_MISMATCH') throw thrown;
      this.uploadId = undefined;
      const { message, details, remedy } = thrown;
      throw new FederationError('DIGEST_MISMATCH', message, {
        details,
        remedy,
        cause: thrown,
        retryable: ++this.wrongDigests < DIGEST_ATTEMPTS,
      });
    }
  }

  private async send(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    body: { file?: FileRange; onSent?: (bytes: number) => void } = {},
  ): Promise<HttpAnswer> {
    const { signal, order } = this;
    const { beforePiece, stallMs = 60_000, line } = order;
    const common = { 'tus-resumable': '1.0.0', ...headers };
    try {
      return await sendAs(order.identity, { method, url }, (letIn) =>
        exchange({ ...{ method, url, headers: { ...common, ...letIn }, stallMs, signal, line }, ...body, beforePiece }),
      );
    } catch (cause) {
      if (cause instanceof FederationError) throw cause;
      throw new FederationError('TRANSFER_BROKEN', `the upload broke off (${reasonOf(cause)})`, { cause });
    }
  }
}

function accepted(answer: HttpAnswer): HttpAnswer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  throw errorOfResponse(answer.status, answer.body);
}

function offsetOf({ headers }: HttpAnswer): number {
  const offset = Number(headers['upload-offset']);
  if (headers['upload-offset'] !== undefined && Number.isSafeInteger(offset) && offset >= 0) return offset;
  throw new FederationError('TRANSFER_BROKEN', 'the coordinator’s answer names no upload offset');
}

/** The last part of the upload's address: the host may change between two starts, the identifier does not. */
function uploadIdOf({ headers }: HttpAnswer): string {
  const uploadId = (headers.location ?? '').split('/').at(-1) ?? '';
  if (/^[A-Za-z0-9._~%-]+$/.test(uploadId)) return uploadId;
  throw new FederationError('TRANSFER_BROKEN', 'the coordinator’s answer names no upload', { retryable: false });
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (cause) {
    throw new FederationError('STORAGE_FAILED', 'the update file is gone', {
      cause,
      retryable: false,
      remedy: 'The agent trains this round again; leave the folder “rounds” to it.',
    });
  }
}
