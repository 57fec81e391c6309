import { type Clock, FederationError } from '@consilium/shared/kernel';
import { manifestOf } from '@consilium/shared/models';
import type { CampaignEvent, UpdateOffer } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import type { BlobStore } from '../blobs/blob-store.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Log } from '../log.js';
import { ModelLedger } from '../models/model-ledger.js';
import type { ModelVersion } from '../models/model-version.entity.js';
import { BLOB_STORE, CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { type ParticipationContext, ParticipationRecorder } from '../rounds/participation-recorder.js';
import { UploadSpool, type SpooledUpload } from '../transfer/upload-spool.js';
import { Quarantine } from './quarantine.js';
import { Update } from './update.entity.js';
import { UpdateFiles } from './update-files.js';

type Outcome = 'accepted' | 'already-accepted';

interface Caller {
  readonly id: string;
  readonly name: string;
}

interface Offered {
  readonly context: ParticipationContext;
  readonly base: ModelVersion | null;
}

/**
 * Takes offered updates: checks everything about the bytes, keeps them as a blob, then writes the fact. A crash anywhere loses
 * nothing, because the upload stays until the fact is written and the site offers again.
 */
@Injectable()
export class UpdateIntake {
  /** Offers under way, so that a doubled offer waits for the first and then finds it accepted. */
  private readonly underWay = new Map<string, Promise<unknown>>();

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly participations: ParticipationRecorder,
    private readonly models: ModelLedger,
    private readonly uploads: UploadSpool,
    private readonly files: UpdateFiles,
    private readonly quarantine: Quarantine,
    private readonly events: CampaignEvents,
    private readonly log: Log,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Offering the same update again answers "already-accepted". A bad update ends the site's part in the round with the code
   * thrown here, and its bytes are kept in quarantine; an incomplete upload or a full disk leaves everything open.
   */
  async offer(site: Caller, offer: UpdateOffer): Promise<Outcome> {
    const before = this.underWay.get(offer.participationId) ?? Promise.resolve();
    const outcome = before.catch(() => undefined).then(() => this.take(site, offer));
    this.underWay.set(offer.participationId, outcome);
    try {
      return await outcome;
    } finally {
      if (this.underWay.get(offer.participationId) === outcome) this.underWay.delete(offer.participationId);
    }
  }

  private async take(site: Caller, offer: UpdateOffer): Promise<Outcome> {
    const offered = await this.look(site, offer);
    if (offered === 'already-accepted') return offered;
    const upload = await this.uploads.takeWhole(offer.uploadId, offer.participationId);
    try {
      await this.check(offer, upload, offered);
      await this.blobs.adopt(upload.path, offer.digest);
    } catch (thrown) {
      throw await this.refuse(site, offer, upload, offered.context, FederationError.from(thrown, 'STORAGE_FAILED'));
    }
    await this.accept(site, offer, upload);
    await this.uploads.discard(offer.uploadId);
    return 'accepted';
  }

  private look(site: Caller, offer: UpdateOffer): Promise<Offered | 'already-accepted'> {
    return this.unitOfWork.transact(async (records) => {
      const known = await records.findOneBy(Update, { participationId: offer.participationId });
      const { participation } = await this.participations.contextOf(records, site, offer.participationId);
      if (known?.digest === offer.digest && participation.state === 'delivered') return 'already-accepted';
      const context = await this.participations.requireReceiving(records, site, offer.participationId);
      return { context, base: await this.models.version(records, context.campaign.id, context.round.baseVersion) };
    });
  }

  private async check(offer: UpdateOffer, upload: SpooledUpload, { context, base }: Offered): Promise<void> {
    if (offer.baseDigest !== base?.digest) {
      throw new FederationError('UPDATE_BASE_STALE', 'the update starts from another version than this round', {
        details: { round: context.round.number, baseVersion: context.round.baseVersion },
        remedy: 'Ask for the present assignment and train from its base.',
      });
    }
    if (!(await this.files.isNamedBy(upload.path, offer.digest))) {
      throw new FederationError('DIGEST_MISMATCH', 'the uploaded bytes are not those that the digest names', {
        details: { bytes: upload.bytes },
        remedy: 'The file was altered on its way or at its source.',
      });
    }
    await this.files.verify(upload.path, manifestOf(context.campaign.plan.model));
  }

  private async accept(site: Caller, offer: UpdateOffer, upload: SpooledUpload): Promise<void> {
    const events: CampaignEvent[] = [];
    await this.participations.record(site, offer.participationId, {
      to: 'delivered',
      along: async (records, context) => {
        const { campaign, round } = context;
        const { report, digest, participationId } = offer;
        const atMs = this.clock.nowMs();
        const facts = { patches: report.patches, bytes: upload.bytes, report, facts: null, acceptedAtMs: atMs };
        const counted = {
          foldRoundId: await this.participations.roundToCountIn(records, context),
          state: 'accepted' as const,
          code: null,
          decidedBy: null,
          decidedAtMs: null,
        };
        await records.save(Update, { participationId, roundId: round.id, digest, ...facts, ...counted });
        const base = { campaignId: campaign.id, number: round.baseVersion };
        await this.models.recordScore(records, base, site, report.baseScore);
        const names = { campaignId: campaign.id, campaignName: campaign.name, siteName: site.name };
        events.push({ kind: 'score', ...names, atMs, versionNumber: round.baseVersion, score: report.baseScore });
      },
    });
    this.events.publish(events);
  }

  /** The error to throw. Only a fault of the update itself ends the participation. */
  private async refuse(
    site: Caller,
    offer: UpdateOffer,
    upload: SpooledUpload,
    { round }: ParticipationContext,
    error: FederationError,
  ): Promise<FederationError> {
    if (error.kind !== 'integrity' && error.code !== 'UPDATE_BASE_STALE') return error;
    this.log.warn(`update of ${site.name} for round ${round.number} refused: ${error.code} ${error.message}`);
    const refusal = {
      participationId: offer.participationId,
      siteName: site.name,
      roundId: round.id,
      digest: offer.digest,
      refusedAtMs: this.clock.nowMs(),
      error: error.toReport(),
    };
    await this.quarantine.keep(upload.path, refusal).catch((cause: unknown) => {
      this.log.warn(`the refused update could not be kept: ${FederationError.from(cause).message}`);
    });
    await this.participations.record(site, offer.participationId, { to: 'failed', code: error.code });
    await this.uploads.discard(offer.uploadId);
    return error;
  }
}
