import { type Clock, FederationError } from '@consilium/shared/kernel';
import { federatedPart, type Manifest } from '@consilium/shared/weights';
import {
  type CampaignEvent,
  type CampaignPlan,
  noteOfHead,
  type OfferAnswer,
  type ReceivedOffer,
  type ToldReport,
} from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { BlobHolds } from '../blobs/blob-holds.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { CampaignEvents } from '../live/campaign-events.js';
import { Log } from '../log.js';
import { controlsOfCampaign, manifestOfRound, tensorsToLack } from '../models/campaign-manifest.js';
import { ModelLedger } from '../models/model-ledger.js';
import { BLOB_STORE, CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { type ParticipationContext, ParticipationRecorder } from '../rounds/participation-recorder.js';
import type { Round } from '../rounds/round.entity.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import { type SpooledUpload, UploadSpool } from '../transfer/upload-spool.js';
import { isArrivalFault, isScreeningCode } from './held-back.js';
import { MeasureThreads } from './measure-threads.js';
import type { MeasuredUpdate } from './update-facts.js';
import { readUpdateReport } from './update-report.js';
import type { UpdateShape } from './update-tensors.js';
import { Update } from './update.entity.js';
import { UpdateSketch } from './update-sketch.entity.js';

type Outcome = OfferAnswer['outcome'];

interface Caller {
  readonly id: string;
  readonly name: string;
}

/** What is known of an offer before its bytes are looked at. */
interface Offered {
  readonly context: ParticipationContext;
  /** The round whose base the update starts from: another one than the participation's when the base is stale. */
  readonly madeForRoundId: string;
  readonly isBaseStale: boolean;
}

interface Examined {
  readonly measured: MeasuredUpdate | null;
  readonly report: ToldReport | null;
  /** Why it is held back, if it is. */
  readonly fault: FederationError | null;
}

/**
 * Takes offered updates: looks at everything about the bytes, keeps them as a blob, then writes the fact. A crash anywhere loses
 * nothing, because the upload stays until the fact is written and the site offers again.
 */
@Injectable()
export class UpdateIntake {
  /** Offers under way, so that a doubled offer waits for the first and then finds it settled. */
  private readonly underWay = new Map<string, Promise<unknown>>();

  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly participations: ParticipationRecorder,
    private readonly rounds: RoundLedger,
    private readonly models: ModelLedger,
    private readonly uploads: UploadSpool,
    private readonly threads: MeasureThreads,
    private readonly events: CampaignEvents,
    log: Log,
    private readonly audit: AuditLog,
    private readonly holds: BlobHolds,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.log = log.part('updates');
  }

  /**
   * Offering the same update again gives the same answer: "already-accepted", or the refusal once more. A bad update ends the
   * site's part in the round as quarantined with the code thrown here, and is kept. An upload that is incomplete or not what its
   * digest names (DIGEST_MISMATCH: it is dropped, and may be sent anew) and a full disk leave everything open. The answer tells the
   * head of the audit log as it stands then.
   */
  async offer(site: Caller, offer: ReceivedOffer): Promise<OfferAnswer> {
    const before = this.underWay.get(offer.participationId) ?? Promise.resolve();
    const outcome = before.catch(() => undefined).then(() => this.take(site, offer));
    this.underWay.set(offer.participationId, outcome);
    try {
      const taken = await outcome;
      const auditHead = await this.unitOfWork.transact((records) => this.audit.head(records));
      return { outcome: taken, ...(auditHead === undefined ? {} : { auditHead }) };
    } finally {
      if (this.underWay.get(offer.participationId) === outcome) this.underWay.delete(offer.participationId);
    }
  }

  private async take(site: Caller, offer: ReceivedOffer): Promise<Outcome> {
    const offered = await this.look(site, offer);
    if (offered === 'already-accepted') return offered;
    const upload = await this.uploads.takeWhole(offer.uploadId, offer.participationId);
    await this.requireDigest(site, offer, upload);
    const examined = await this.examine(offer, upload, offered);
    await this.holds.during([offer.digest], async () => {
      await this.blobs.adopt(upload.path, offer.digest);
      await this.record(site, offer, upload, offered, examined);
    });
    await this.uploads.discard(offer.uploadId);
    if (examined.fault === null) return 'accepted';
    const { code, message } = examined.fault;
    const { campaign, round } = offered.context;
    this.log.warn(`update of ${site.name} for round ${round.number} held back: ${code} ${message}`, {
      ...{ campaign: campaign.name, campaignId: campaign.id, round: round.number, roundId: round.id },
      ...{ site: site.name, siteId: site.id, participationId: offer.participationId, code },
    });
    throw examined.fault;
  }

  private look(site: Caller, offer: ReceivedOffer): Promise<Offered | 'already-accepted'> {
    return this.unitOfWork.transact(async (records) => {
      await this.participations.contextOf(records, site, offer.participationId); // NOT_FOUND before anything is told
      const known = await records.findOneBy(Update, { participationId: offer.participationId });
      if (known?.digest === offer.digest) {
        requireWelcome(known);
        return 'already-accepted';
      }
      const context = await this.participations.requireReceiving(records, site, offer.participationId);
      return { context, ...(await this.baseOf(records, context, offer)) };
    });
  }

  private async baseOf(
    records: EntityManager,
    { campaign, round }: ParticipationContext,
    offer: ReceivedOffer,
  ): Promise<Pick<Offered, 'madeForRoundId' | 'isBaseStale'>> {
    const base = await this.models.version(records, campaign.id, round.baseVersion);
    if (offer.baseDigest === base?.digest) return { madeForRoundId: round.id, isBaseStale: false };
    const versions = await this.models.versionsWithDigest(records, offer.baseDigest);
    const earlier = versions.find(({ campaignId, number }) => campaignId === campaign.id && number < round.baseVersion);
    const rounds = earlier === undefined ? [] : await this.rounds.roundsOf(records, campaign.id);
    const madeFor = rounds.findLast(({ baseVersion }) => baseVersion === earlier?.number);
    return { madeForRoundId: madeFor?.id ?? round.id, isBaseStale: true };
  }

  /** Damage on the way is not the update's fault: the bytes are dropped, and the site sends them anew. */
  private async requireDigest(site: Caller, offer: ReceivedOffer, upload: SpooledUpload): Promise<void> {
    if (upload.digest === offer.digest) return;
    await this.uploads.discard(offer.uploadId);
    this.log.warn(`an upload of ${site.name} is not what its digest names and was dropped`, {
      ...{ site: site.name, siteId: site.id, participationId: offer.participationId },
    });
    throw new FederationError('DIGEST_MISMATCH', 'the uploaded bytes are not those that the digest names', {
      details: { bytes: upload.bytes },
      remedy: 'The file was altered on its way or at its source: send it anew.',
    });
  }

  private async examine(offer: ReceivedOffer, upload: SpooledUpload, offered: Offered): Promise<Examined> {
    const { campaign, round } = offered.context;
    let measured: MeasuredUpdate | null = null;
    let report: ToldReport | null = null;
    try {
      measured = await this.threads.measure({ path: upload.path, expected: updateShapeOf(campaign.plan, round) });
      report = readUpdateReport(offer.report, campaign.plan);
      requireClipped(measured, campaign.plan);
      if (!offered.isBaseStale) return { measured, report, fault: null };
      throw new FederationError('UPDATE_BASE_STALE', 'the update starts from another version than this round', {
        details: { round: round.number, baseVersion: round.baseVersion },
        remedy: 'Ask for the present assignment and train from its base.',
      });
    } catch (thrown) {
      const fault = FederationError.from(thrown, 'STORAGE_FAILED');
      if (!isArrivalFault(fault.code)) throw fault;
      return { measured, report, fault };
    }
  }

  private async record(
    site: Caller,
    offer: ReceivedOffer,
    upload: SpooledUpload,
    { madeForRoundId }: Offered,
    { measured, report, fault }: Examined,
  ): Promise<void> {
    const events: CampaignEvent[] = [];
    await this.participations.record(site, offer.participationId, {
      to: fault === null ? 'delivered' : 'quarantined',
      ...(fault === null ? {} : { code: fault.code }),
      along: async (records, context) => {
        const { digest, participationId } = offer;
        const atMs = this.clock.nowMs();
        const verdict =
          fault === null
            ? { state: 'accepted' as const, code: null, reason: null }
            : { state: 'quarantined' as const, code: fault.code, reason: fault.message };
        const foldRoundId = fault === null ? await this.participations.roundToCountIn(records, context) : null;
        const facts = measured === null ? null : { norm: measured.norm };
        const figures = { bytes: upload.bytes, patches: report?.patches ?? 0, report, facts, acceptedAtMs: atMs };
        const undecided = { decidedBy: null, decidedWhy: null, decidedAtMs: null, droppedAtMs: null };
        const named = { participationId, roundId: madeForRoundId, foldRoundId, digest };
        await records.save(Update, { ...named, ...verdict, ...figures, ...undecided });
        const subject = {
          campaign: context.campaign.name,
          round: context.round.number,
          digest,
          bytes: upload.bytes,
          patches: figures.patches,
          code: verdict.code,
          ...(offer.auditHead === undefined ? {} : noteOfHead('site', offer.auditHead)),
        };
        await this.audit.append(records, { kind: `update-${verdict.state}`, actor: `site:${site.name}`, subject });
        if (fault !== null || report === null || measured === null) return;
        await records.save(UpdateSketch, { participationId, sketch: measured.sketch });
        const { campaign, round } = context;
        const base = { campaignId: campaign.id, number: round.baseVersion };
        const { baseScore: score, monitors } = report;
        if (score === undefined) return;
        const seen = { score, ...(monitors === undefined ? {} : { monitors: monitors.base }) };
        await this.models.recordScore(records, base, site, seen);
        const names = { campaignId: campaign.id, campaignName: campaign.name, siteName: site.name };
        events.push({ kind: 'score', ...names, atMs, versionNumber: round.baseVersion, ...seen });
      },
    });
    this.events.publish(events);
  }
}

/** What an update for this round must hold. */
function updateShapeOf(plan: CampaignPlan, { number }: Round): UpdateShape {
  return {
    deltas: shapesOf(federatedPart(manifestOfRound(plan, number))),
    mayLack: tensorsToLack(plan),
    controls: shapesOf(controlsOfCampaign(plan)),
  };
}

/** No more than a thread must be told. */
function shapesOf({ tensors }: Manifest): UpdateShape['deltas'] {
  return tensors.map(({ name, shape }) => ({ name, shape }));
}

/** Noise on the sum covers a site up to the clip norm and no further. Sites clip to a little less, for the rounding to 32 bits. */
function requireClipped({ norm }: MeasuredUpdate, { privacy }: CampaignPlan): void {
  if (privacy?.form !== 'central' || norm <= privacy.clipNorm) return;
  throw new FederationError(
    'UPDATE_NOT_CLIPPED',
    `the update's norm ${norm.toPrecision(3)} is over the clip norm ${privacy.clipNorm}`,
    {
      details: { norm, clipNorm: privacy.clipNorm },
      remedy: 'The site does not clip as the plan says: its agent is altered or damaged. Talk to the site.',
    },
  );
}

/** Repeats the refusal of an update that was refused on arrival; what screening or an operator did later is not the site's concern. */
function requireWelcome({ state, code, reason }: Update): void {
  if (state === 'released' || code === null || isScreeningCode(code)) return;
  throw new FederationError(code, reason ?? 'the update was refused', { remedy: 'It is kept for the operator to look at.' });
}
