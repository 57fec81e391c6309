import type { IncomingMessage, ServerResponse } from 'node:http';
import { digestField, DATA_PATHS, parseWith, UPLOAD_METADATA } from '@consilium/shared/wire';
import { FederationError, newId } from '@consilium/shared/kernel';
import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import { Server } from '@tus/server';
import { z } from 'zod';
import { bearerToken } from '../access/site-credentials.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import type { HomeFolder } from '../home/home-folder.js';
import { httpStatusOf } from '../live/http-status.js';
import { Log } from '../log.js';
import { ModelLedger } from '../models/model-ledger.js';
import { CONFIG, HOME } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { ParticipationRecorder } from '../rounds/participation-recorder.js';
import { SiteDirectory } from '../sites/site-directory.js';
import { SpoolStore } from './spool-store.js';

const SWEEP_INTERVAL_MS = 10 * 60_000;

/** An update is about as large as the version it starts from; headers and a wider number format fit in three times that. */
const LARGEST_UPDATE_IN_BASES = 3;

const metadataSchema = z.object({
  [UPLOAD_METADATA.participationId]: z.string().min(1).max(64),
  [UPLOAD_METADATA.digest]: digestField,
});

/** A complete upload, ready to be checked. */
export interface SpooledUpload {
  readonly path: string;
  readonly bytes: number;
}

type TusRequest = Parameters<NonNullable<ConstructorParameters<typeof Server>[0]['onUploadCreate']>>[0];
type TusUpload = Parameters<NonNullable<ConstructorParameters<typeof Server>[0]['onUploadCreate']>>[1];

/** Resumable uploads (tus 1.0) of enrolled sites, spooled to disk as they arrive. */
@Injectable()
export class UploadSpool implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly store: SpoolStore;
  private readonly uploads: Server;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly sites: SiteDirectory,
    private readonly participations: ParticipationRecorder,
    private readonly models: ModelLedger,
    private readonly unitOfWork: UnitOfWork,
    private readonly log: Log,
    @Inject(CONFIG) config: CoordinatorConfig,
    @Inject(HOME) home: HomeFolder,
  ) {
    this.store = new SpoolStore({ directory: home.uploads, expirationPeriodInMilliseconds: config.uploadLifetimeMs });
    this.uploads = new Server({
      path: DATA_PATHS.uploads,
      datastore: this.store,
      relativeLocation: true,
      allowedOrigins: [],
      namingFunction: () => newId('upload'),
      onIncomingRequest: (request, uploadId) => this.requireOwner(request, uploadId),
      onUploadCreate: (request, upload) => this.admit(request, upload),
      onResponseError: (_request, error) => this.describe(error),
    });
  }

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.sweep(), SWEEP_INTERVAL_MS);
    void this.sweep();
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer);
  }

  /** Serves one request below the upload path. */
  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    await this.uploads.handle(request, response);
  }

  /** The upload, if it belongs to this participation and is whole; UPLOAD_INCOMPLETE (to be resumed) otherwise. */
  async takeWhole(uploadId: string, participationId: string): Promise<SpooledUpload> {
    const upload = await this.store.getUpload(uploadId).catch(() => undefined);
    if (upload?.metadata?.[UPLOAD_METADATA.participationId] !== participationId) {
      throw new FederationError('UPLOAD_INCOMPLETE', 'there is no such upload for this part in the round', {
        remedy: 'Upload the update again.',
      });
    }
    if (upload.size === undefined || upload.offset !== upload.size) {
      throw new FederationError('UPLOAD_INCOMPLETE', `the upload has ${upload.offset} of ${upload.size ?? 0} bytes`, {
        details: { offset: upload.offset, bytes: upload.size ?? 0 },
        remedy: 'Resume the upload, then offer it again.',
      });
    }
    return { path: this.store.pathOf(uploadId), bytes: upload.size };
  }

  /** Forgets an upload that has been taken over or refused; gone already is fine. */
  async discard(uploadId: string): Promise<void> {
    await this.store.remove(uploadId).catch(() => undefined);
  }

  /** Removes uploads that nobody has offered within their lifetime. */
  async sweep(): Promise<void> {
    try {
      const removed = await this.uploads.cleanUpExpiredUploads();
      if (removed > 0) this.log.info(`${removed} abandoned uploads removed`);
    } catch (error) {
      this.log.warn(`abandoned uploads could not be removed: ${FederationError.from(error).message}`);
    }
  }

  private async requireOwner(request: TusRequest, uploadId: string): Promise<void> {
    const site = await this.sites.authenticate(bearerToken(request.headers.get('authorization')));
    if (request.method === 'POST') return;
    const upload = await this.store.getUpload(uploadId);
    const participationId = upload.metadata?.[UPLOAD_METADATA.participationId] ?? '';
    await this.unitOfWork.transact((records) => this.participations.contextOf(records, site, participationId));
  }

  private async admit(request: TusRequest, upload: TusUpload): Promise<{ metadata?: TusUpload['metadata'] }> {
    const site = await this.sites.authenticate(bearerToken(request.headers.get('authorization')));
    const { participationId } = parseWith(metadataSchema, upload.metadata ?? {}, 'MESSAGE_REFUSED', 'the upload metadata');
    const baseBytes = await this.unitOfWork.transact(async (records) => {
      const { campaign, round } = await this.participations.requireReceiving(records, site, participationId);
      return (await this.models.version(records, campaign.id, round.baseVersion))?.bytes ?? 0;
    });
    const limit = LARGEST_UPDATE_IN_BASES * baseBytes;
    if (upload.size === undefined || upload.size > limit) {
      throw new FederationError('MESSAGE_REFUSED', `an upload must announce its size, at most ${limit} bytes here`, {
        details: { bytes: upload.size ?? 0, limit },
      });
    }
    await this.participations.record(site, participationId, { to: 'delivering' });
    return {};
  }

  // Errors of the tus protocol itself keep their own status and text.
  private describe(error: Error | { status_code: number; body: string }): { status_code: number; body: string } | undefined {
    if ('status_code' in error) return undefined;
    const known = FederationError.from(error);
    if (known.code === 'INVARIANT') this.log.error(`an upload failed: ${known.message}`, error);
    return { status_code: httpStatusOf(known), body: JSON.stringify(known.toReport()) };
  }
}
