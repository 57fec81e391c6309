import { FederationError, type Random } from '@consilium/shared/kernel';
import type { VersionReference } from '@consilium/shared/wire';
import type { TransferHooks, UpdateParcel, WeightTransfer } from '../../../site-agent/src/agent/weight-transfer.js';
import { backoffDelayMs, pause } from '../../../site-agent/src/link/backoff.js';
import { algorithmOf, digestOfBytes } from '@consilium/shared/kernel';
import type { Life } from './life.js';
import type { SimulatedCoordinator } from './simulated-coordinator.js';
import type { SiteDisk } from './site-disk.js';
import { digestAtPath } from './site-disk.js';
import type { SiteLine } from './site-line.js';
import type { Uploader } from './simulated-spool.js';

const REQUEST_TIMEOUT_MS = 20_000;

export interface TransferParts {
  readonly life: Life;
  readonly line: SiteLine;
  readonly random: Random;
  readonly disk: SiteDisk;
  readonly site: Uploader;
  readonly chunks: number;
  /** Share of chunks that arrive altered. */
  readonly altered: number;
  readonly coordinator: () => SimulatedCoordinator | undefined;
}

/**
 * The data plane in simulated time: chunks that are lost with the line or with the coordinator and go on from the offset that the
 * coordinator has, against the real rules of who may upload what.
 */
export class SimulatedTransfer implements WeightTransfer {
  constructor(private readonly parts: TransferParts) {}

  async fetchVersion({ digest, bytes }: VersionReference, path: string, hooks: TransferHooks): Promise<void> {
    const { life, disk } = this.parts;
    let received = Buffer.alloc(0);
    await this.retrying(hooks, async () => {
      while (received.length < bytes) {
        const to = Math.min(bytes, received.length + this.chunkBytes(bytes));
        const chunk = await this.request(async ({ disk: { blobs } }) => {
          const blob = blobs.get(digest);
          if (blob === undefined) throw new FederationError('NOT_FOUND', 'there is no such version');
          return blob.subarray(received.length, to);
        });
        received = Buffer.concat([received, chunk]);
        hooks.onProgress(received.length, bytes);
      }
      if (digestOfBytes(received, algorithmOf(digest)) !== digest) {
        received = Buffer.alloc(0);
        throw new FederationError('DIGEST_MISMATCH', 'the version was altered on its way', { retryable: true });
      }
    });
    await life.write('version', 1, () => disk.versions.set(digestAtPath(path), received));
  }

  async sendUpdate(parcel: UpdateParcel, hooks: TransferHooks): Promise<string> {
    const { site, disk } = this.parts;
    const { participationId, digest } = parcel;
    const content = disk.updates.get(participationId);
    if (content === undefined) throw new FederationError('STORAGE_FAILED', 'the update file is gone', { retryable: false });
    const upload = { participationId, digest, size: content.length };
    let { uploadId } = parcel;
    await this.retrying(hooks, async () => {
      const known = uploadId;
      let offset = known === undefined ? undefined : await this.request(async ({ spool }) => spool.offset(known));
      if (offset === undefined) {
        uploadId = await this.request(({ spool }) => spool.create(site, upload));
        parcel.onCreated(uploadId);
        offset = 0;
      }
      const id = uploadId as string;
      while (offset < content.length) {
        const from: number = offset;
        const chunk = this.alteredNowAndThen(content.subarray(from, from + this.chunkBytes(content.length)));
        offset = await this.request(({ spool }) => spool.append(id, from, chunk));
        hooks.onProgress(offset, content.length);
      }
    });
    return uploadId as string;
  }

  private chunkBytes(bytes: number): number {
    return Math.ceil(bytes / this.parts.chunks);
  }

  private alteredNowAndThen(chunk: Buffer): Buffer {
    if (!this.parts.random.chance(this.parts.altered)) return chunk;
    const altered = Buffer.from(chunk);
    altered[0] = (altered[0] as number) ^ 1;
    return altered;
  }

  /** One request and its answer; TRANSFER_BROKEN when one of them is lost. */
  private request<T>(handle: (coordinator: SimulatedCoordinator) => Promise<T>): Promise<T> {
    const { life, line, coordinator } = this.parts;
    return new Promise((resolve, reject) => {
      const settle = (then: () => void): void => {
        cancel();
        life.ifAlive(then);
      };
      const breakOff = (): void => settle(() => reject(new FederationError('TRANSFER_BROKEN', 'the connection broke off')));
      const cancel = life.clock.after(REQUEST_TIMEOUT_MS, breakOff);
      line.bring(() => {
        const answering = coordinator();
        if (answering === undefined) return line.bring(breakOff);
        answering.life.onDeath(() => line.bring(breakOff));
        answering.life.hear(handle(answering)).then(
          (value) => line.bring(() => settle(() => resolve(value))),
          (error: Error) => line.bring(() => settle(() => reject(error))),
        );
      });
    });
  }

  private async retrying({ signal, onWait }: TransferHooks, attempt: () => Promise<void>): Promise<void> {
    const { life, random } = this.parts;
    for (let failures = 0; ; failures++) {
      try {
        signal.throwIfAborted();
        return await attempt();
      } catch (thrown) {
        const error = FederationError.from(thrown, 'TRANSFER_BROKEN');
        if (!error.retryable || signal.aborted) throw error;
        const retryInMs = backoffDelayMs(failures, random.uniform());
        onWait(error, retryInMs);
        await pause(retryInMs, signal, life.clock);
      }
    }
  }
}
