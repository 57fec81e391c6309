import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Clock, type Digest, FederationError, newId } from '@consilium/shared/kernel';
import { DATA_PATHS } from '@consilium/shared/wire';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { SiteAccess } from '../access/site-access.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import type { HomeFolder } from '../home/home-folder.js';
import { Log } from '../log.js';
import { TransferCounters } from '../metrics/transfer-counters.js';
import { ModelLedger } from '../models/model-ledger.js';
import { CLOCK, CONFIG, HOME } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { ParticipationRecorder } from '../rounds/participation-recorder.js';
import type { Site } from '../sites/site.entity.js';
import { RoundSpans } from '../tracing/round-spans.js';
import { SpoolFolder } from './spool-folder.js';
import { ArrivingUpload } from './arriving-upload.js';
import * as tus from './tus-protocol.js';
import { UploadTurns } from './upload-turns.js';

const SWEEP_INTERVAL_MS = 10 * 60_000;

/** An update is about as large as the version it starts from; headers and a wider number format fit in three times that. */
const LARGEST_UPDATE_IN_BASES = 3;

/** How long a request waits unread for its turn: less than the 60 s of silence after which a site gives a connection up. */
const TURN_PATIENCE_MS = 40_000;

/** A complete upload, ready to be checked. */
export interface SpooledUpload {
  readonly path: string;
  readonly bytes: number;
  /** Of the bytes on disk, by the algorithm of the digest that the site announced. */
  readonly digest: Digest;
}

/** Resumable uploads (tus 1.0) of enrolled sites, spooled to disk and digested as they arrive. */
@Injectable()
export class UploadSpool implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly folder: SpoolFolder;
  private readonly turns: UploadTurns;
  private readonly uploads = new Map<string, ArrivingUpload>();
  private loading: Promise<void> | undefined;
  private timer: NodeJS.Timeout | undefined;

  private readonly log: Log;

  constructor(
    private readonly access: SiteAccess,
    private readonly participations: ParticipationRecorder,
    private readonly models: ModelLedger,
    private readonly unitOfWork: UnitOfWork,
    log: Log,
    private readonly transfers: TransferCounters,
    private readonly spans: RoundSpans,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(HOME) home: HomeFolder,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.log = log.part('transfer');
    this.folder = new SpoolFolder(home.uploads);
    this.turns = new UploadTurns(config.uploadsAtOnce, TURN_PATIENCE_MS);
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.sweep(), SWEEP_INTERVAL_MS);
    void this.sweep();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Uploads that are being received, and those that wait for their turn. */
  get receiving(): { readonly active: number; readonly waiting: number } {
    return this.turns.counts;
  }

  /** Serves one request below the upload path; never rejects. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.serve(request, response);
    } catch (thrown) {
      const error = FederationError.from(thrown);
      if (error.code === 'INVARIANT') this.log.error(`an upload failed: ${error.message}`, thrown);
      tus.refuse(request, response, error);
    }
  }

  /** The upload, if it belongs to this participation and is whole; UPLOAD_INCOMPLETE (to be resumed) otherwise. */
  async takeWhole(uploadId: string, participationId: string): Promise<SpooledUpload> {
    await this.loaded();
    const upload = this.uploads.get(uploadId);
    const offset = await this.folder.sizeOf(uploadId);
    if (upload?.record.participationId !== participationId || offset === undefined) {
      throw new FederationError('UPLOAD_INCOMPLETE', 'there is no such upload for this part in the round', {
        remedy: 'Upload the update again.',
      });
    }
    const { bytes } = upload.record;
    if (offset === bytes) return { path: upload.path, bytes, digest: await upload.exclusively(() => upload.finish()) };
    throw new FederationError('UPLOAD_INCOMPLETE', `the upload has ${offset} of ${bytes} bytes`, {
      details: { offset, bytes },
      remedy: 'Resume the upload, then offer it again.',
    });
  }

  /** Forgets an upload that has been taken over or refused; gone already is fine. */
  async discard(uploadId: string): Promise<void> {
    const upload = this.uploads.get(uploadId);
    await (upload === undefined ? this.folder.remove(uploadId) : upload.exclusively(() => this.remove(uploadId)));
  }

  /** Removes uploads that nobody has added to or offered within their lifetime, and what a crash left beside them. */
  async sweep(): Promise<void> {
    try {
      await this.loaded();
      const beforeMs = this.clock.nowMs() - this.config.uploadLifetimeMs;
      let removed = 0;
      for (const { record, isBusy } of this.uploads.values()) {
        const touchedAtMs = (await this.folder.touchedAtMs(record.id)) ?? 0;
        if (isBusy || Math.max(record.createdAtMs, touchedAtMs) > beforeMs) continue;
        await this.discard(record.id);
        removed++;
      }
      await this.folder.removeStrays(new Set(this.uploads.keys()), beforeMs);
      if (removed > 0) this.log.info(`${removed} abandoned uploads removed`);
    } catch (error) {
      this.log.warn(`abandoned uploads could not be removed: ${FederationError.from(error).message}`);
    }
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method === 'OPTIONS') {
      return tus.answer(response, 204, { 'Tus-Version': tus.TUS_VERSION, 'Tus-Extension': tus.TUS_EXTENSIONS });
    }
    if (request.headers['tus-resumable'] !== tus.TUS_VERSION) throw new tus.TusRefusal(412, 'uploads speak tus 1.0.0');
    const site = await this.access.admitRequest(request, response);
    await this.loaded();
    const uploadId = tus.uploadIdOf(request.url ?? '');
    if (uploadId === undefined) {
      if (request.method !== 'POST') throw new tus.TusRefusal(405, 'uploads are created by POST');
      return this.create(site, request, response);
    }
    const upload = this.uploads.get(uploadId);
    if (upload?.record.siteId !== site.id) throw noSuchUpload();
    if (request.method === 'HEAD') return this.describe(upload, response);
    if (request.method === 'PATCH') return this.append(upload, request, response);
    if (request.method !== 'DELETE')
      throw new tus.TusRefusal(405, 'an upload is asked by HEAD, continued by PATCH, ended by DELETE');
    await this.discard(uploadId);
    tus.answer(response, 204);
  }

  private async create(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { participationId, digest } = tus.readMetadata(request);
    const baseBytes = await this.unitOfWork.transact(async (records) => {
      const { campaign, round } = await this.participations.requireReceiving(records, site, participationId);
      return (await this.models.version(records, campaign.id, round.baseVersion))?.bytes ?? 0;
    });
    const bytes = tus.bytesHeader(request, 'upload-length');
    const limit = LARGEST_UPDATE_IN_BASES * baseBytes;
    if (bytes === undefined || bytes > limit) {
      throw new FederationError('MESSAGE_REFUSED', `an upload must announce its size, at most ${limit} bytes here`, {
        details: { bytes: bytes ?? 0, limit },
      });
    }
    // A site that creates a second upload for the same part has lost the first.
    const lost = [...this.uploads.values()].filter(({ record }) => record.participationId === participationId);
    for (const { record } of lost) await this.discard(record.id);
    const record = { id: newId('upload'), siteId: site.id, participationId, digest, bytes, createdAtMs: this.clock.nowMs() };
    await this.folder.create(record);
    const upload = this.remember(record);
    tus.answer(response, 201, { Location: `${DATA_PATHS.uploads}/${record.id}`, ...(await this.expiryOf(upload)) });
  }

  private async describe(upload: ArrivingUpload, response: ServerResponse): Promise<void> {
    const { id, bytes, participationId, digest } = upload.record;
    const offset = await upload.exclusively(async () => {
      this.requireKept(upload);
      return (await this.folder.sizeOf(id)) ?? 0;
    });
    tus.answer(response, 200, {
      'Upload-Offset': offset,
      'Upload-Length': bytes,
      'Upload-Metadata': tus.writeMetadata({ participationId, digest }),
      ...(await this.expiryOf(upload)),
    });
  }

  private async append(upload: ArrivingUpload, request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.headers['content-type'] !== tus.CHUNK_TYPE) throw new tus.TusRefusal(415, `chunks are ${tus.CHUNK_TYPE}`);
    const offset = tus.bytesHeader(request, 'upload-offset');
    if (offset === undefined) throw new tus.TusRefusal(400, 'a chunk must name its offset');
    const { id, bytes } = upload.record;
    const announced = tus.bytesHeader(request, 'content-length') ?? 0;
    if (offset + announced > bytes) throw new tus.TusRefusal(413, 'the chunk is longer than the upload', { offset, bytes });
    const reached = await upload.exclusively(async (signal) => {
      this.requireKept(upload);
      const endTurn = await this.turns.take(id, signal);
      const sinceMs = this.clock.nowMs();
      try {
        const now = await upload.receive(request, offset, signal).catch((thrown: unknown) => {
          this.spans.received(upload.record.participationId, undefined, sinceMs, FederationError.from(thrown).code);
          throw thrown;
        });
        this.transfers.receivedBytes += now - offset;
        this.spans.received(upload.record.participationId, now - offset, sinceMs);
        if (now === bytes) await this.requireAnnouncedDigest(upload);
        return now;
      } finally {
        endTurn();
      }
    });
    tus.answer(response, 204, { 'Upload-Offset': reached, ...(await this.expiryOf(upload)) });
  }

  /** A request may have waited for the one that removed its upload. */
  private requireKept(upload: ArrivingUpload): void {
    if (this.uploads.get(upload.record.id) !== upload) throw noSuchUpload();
  }

  /** Bytes that were altered on their way cannot be mended by resuming: the upload is dropped, the site begins anew. */
  private async requireAnnouncedDigest(upload: ArrivingUpload): Promise<void> {
    if ((await upload.finish()) === upload.record.digest) return;
    await this.remove(upload.record.id);
    throw new FederationError('DIGEST_MISMATCH', 'the uploaded bytes are not those that the digest names', {
      details: { bytes: upload.record.bytes },
      remedy: 'The file was altered on its way or at its source.',
    });
  }

  private async expiryOf({ record }: ArrivingUpload): Promise<Record<string, string>> {
    const touchedAtMs = (await this.folder.touchedAtMs(record.id)) ?? 0;
    const expiresAtMs = Math.max(record.createdAtMs, touchedAtMs) + this.config.uploadLifetimeMs;
    return { 'Upload-Expires': new Date(expiresAtMs).toUTCString() };
  }

  private async remove(uploadId: string): Promise<void> {
    this.uploads.delete(uploadId);
    this.turns.forget(uploadId);
    await this.folder.remove(uploadId);
  }

  private remember(record: ArrivingUpload['record']): ArrivingUpload {
    const upload = new ArrivingUpload(record, this.folder.pathOf(record.id), this.config.uploadStallMs);
    this.uploads.set(record.id, upload);
    return upload;
  }

  /** What an earlier process has received, read once. */
  private loaded(): Promise<void> {
    this.loading ??= this.folder.load().then(
      (records) => records.forEach((record) => this.remember(record)),
      (cause: unknown) => {
        this.loading = undefined;
        throw FederationError.from(cause, 'STORAGE_FAILED');
      },
    );
    return this.loading;
  }
}

function noSuchUpload(): FederationError {
  return new FederationError('NOT_FOUND', 'this site has no such upload', { remedy: 'Upload the update again.' });
}
