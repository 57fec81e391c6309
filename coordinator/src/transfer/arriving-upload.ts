import type { IncomingMessage } from 'node:http';
import { algorithmOf, type Digest, FederationError, FollowingDigest, GrowingFile } from '@consilium/shared/kernel';
import type { UploadRecord } from './spool-folder.js';

/** Slower than any line that could carry an update: somebody holds a turn, or nobody is left. */
const SLOWEST_BYTES_PER_SECOND = 1024;

/**
 * One upload on its way in. Its requests come one after the other: a new one ends the one before, because a site that asks again
 * has given its old connection up, whatever this end still believes of it.
 */
export class ArrivingUpload {
  private readonly digest: FollowingDigest;
  private tail: Promise<unknown> = Promise.resolve();
  private present: AbortController | undefined;

  constructor(
    readonly record: UploadRecord,
    readonly path: string,
    /** A sender that has sent next to nothing for this long is cut off. */
    private readonly stallMs: number,
  ) {
    this.digest = new FollowingDigest(algorithmOf(record.digest));
  }

  get isBusy(): boolean {
    return this.present !== undefined;
  }

  /** Runs the work once the request before has ended; the signal is aborted when the next one comes. */
  exclusively<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    this.present?.abort(new FederationError('TRANSFER_BROKEN', 'the site has begun a new request'));
    const mine = new AbortController();
    this.present = mine;
    const result = this.tail
      .then(() => work(mine.signal))
      .finally(() => {
        if (this.present === mine) this.present = undefined;
      });
    this.tail = result.catch(() => undefined);
    return result;
  }

  /**
   * Appends a request's body, which begins at the offset, and returns the new offset. The offset counts what the system has
   * taken: it survives the end of this process, not a power cut, after which the digest tells. What arrived before a connection
   * broke stays. Call within {@link exclusively}.
   */
  async receive(request: IncomingMessage, offset: number, signal: AbortSignal): Promise<number> {
    const file = await GrowingFile.open(this.path, this.digest);
    const leastBytes = (SLOWEST_BYTES_PER_SECOND * this.stallMs) / 1000;
    let knownBytes = file.bytes;
    const watch = setInterval(() => {
      if (file.bytes - knownBytes < leastBytes) request.destroy(new Error(`next to nothing for ${this.stallMs} ms`));
      knownBytes = file.bytes;
    }, this.stallMs);
    const cut = (): void => void request.destroy();
    signal.addEventListener('abort', cut);
    try {
      requireOffset(file.bytes, offset);
      signal.throwIfAborted();
      await file.append(request, this.record.bytes - offset);
      return file.bytes;
    } finally {
      clearInterval(watch);
      signal.removeEventListener('abort', cut);
      await file.close();
    }
  }

  /** The digest of what is on disk; quick when it was received by this process. Call within {@link exclusively}. */
  async finish(): Promise<Digest> {
    const file = await GrowingFile.open(this.path, this.digest);
    try {
      return await file.finish();
    } finally {
      await file.close();
    }
  }
}

function requireOffset(present: number, given: number): void {
  if (present === given) return;
  throw new OffsetConflict(present, given);
}

/** The site's idea of what has been accepted is not ours; the answer carries the right one. */
export class OffsetConflict extends FederationError {
  constructor(
    readonly offset: number,
    given: number,
  ) {
    super('TRANSFER_BROKEN', 'the bytes do not follow on what has arrived', { details: { offset, given } });
  }
}
