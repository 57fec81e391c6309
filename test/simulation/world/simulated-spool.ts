import { algorithmOf, type Digest, digestOfBytes, FederationError } from '@consilium/shared/kernel';
import type { UnitOfWork } from '../../../coordinator/src/records/unit-of-work.js';
import type { ParticipationRecorder } from '../../../coordinator/src/rounds/participation-recorder.js';
import type { SpooledUpload } from '../../../coordinator/src/transfer/upload-spool.js';
import type { CoordinatorDisk } from './coordinator-disk.js';
import type { Life } from './life.js';

const WRITE_MS = 5;

export interface Uploader {
  readonly id: string;
  readonly name: string;
}

/** The coordinator's spool: what it has taken of an upload is on its disk before it says so. */
export class SimulatedSpool {
  private created = 0;

  constructor(
    private readonly disk: CoordinatorDisk,
    private readonly life: Life,
    /** The coordinator's own parts, which stand on this one. */
    private readonly parts: () => { readonly unitOfWork: UnitOfWork; readonly participations: ParticipationRecorder },
  ) {}

  /** Admits a new upload as the real spool does, and returns its identifier. */
  async create(site: Uploader, upload: { participationId: string; digest: Digest; size: number }): Promise<string> {
    const { unitOfWork, participations } = this.parts();
    const { participationId, size, digest } = upload;
    await unitOfWork.transact((records) => participations.requireReceiving(records, site, participationId));
    await participations.record(site, participationId, { to: 'delivering' });
    const uploadId = `upload_${this.disk.uploads.size}_${this.life.clock.nowMs()}_${this.created++}`;
    const path = `spool ${uploadId}`;
    await this.life.write('upload', WRITE_MS, () =>
      this.disk.uploads.set(uploadId, { participationId, size, path, algorithm: algorithmOf(digest), received: Buffer.alloc(0) }),
    );
    return uploadId;
  }

  /** Bytes taken so far; undefined for an upload that is not known (any more). */
  offset(uploadId: string): number | undefined {
    return this.disk.uploads.get(uploadId)?.received.length;
  }

  /** Takes a chunk that begins where the last one ended, and returns the new offset. */
  async append(uploadId: string, offset: number, chunk: Buffer): Promise<number> {
    return this.life.write('chunk', WRITE_MS, () => {
      const upload = this.disk.uploads.get(uploadId);
      if (upload?.received.length !== offset) throw new FederationError('TRANSFER_BROKEN', 'not the offset of this upload');
      upload.received = Buffer.concat([upload.received, chunk]);
      return upload.received.length;
    });
  }

  async takeWhole(uploadId: string, participationId: string): Promise<SpooledUpload> {
    const upload = this.disk.uploads.get(uploadId);
    if (upload?.participationId !== participationId || upload.received.length !== upload.size) {
      throw new FederationError('UPLOAD_INCOMPLETE', 'there is no such whole upload for this part in the round');
    }
    return { path: upload.path, bytes: upload.size, digest: digestOfBytes(upload.received, upload.algorithm) };
  }

  async discard(uploadId: string): Promise<void> {
    await this.life.write('discarded upload', WRITE_MS, () => this.disk.uploads.delete(uploadId));
  }
}
