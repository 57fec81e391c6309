import { join } from 'node:path';
import { type Digest, newId, required } from '@consilium/shared/kernel';
import {
  adversaryStepOf,
  type CampaignEvent,
  type CampaignPlan,
  downloadsDeltas,
  frozenAdversary,
  partOfRound,
  placeOfRound,
  previousRoundOfPart,
  type UpdateMonitors,
} from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { BlobHolds } from '../blobs/blob-holds.js';
import type { BlobStore } from '../blobs/blob-store.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import type { HomeFolder } from '../home/home-folder.js';
import { Log } from '../log.js';
import { manifestOfRound, tensorsToLack } from '../models/campaign-manifest.js';
import { ModelLedger } from '../models/model-ledger.js';
import type { ModelVersion } from '../models/model-version.entity.js';
import { weightFileMetadata } from '../models/weight-file-metadata.js';
import { BLOB_STORE, HOME } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { meanMonitors } from '../updates/mean-monitors.js';
import { UpdateLedger } from '../updates/update-ledger.js';
import type { DeltaOrder, FoldOutcome } from '../aggregation/fold-files.js';
import type { FoldRecipe } from '../aggregation/recipe.js';
import { RoundSpans } from '../tracing/round-spans.js';
import { FoldEngine } from './fold-engine.js';
import { RoundLedger } from './round-ledger.js';
import { RoundNoise } from './round-noise.js';

interface UpdateToFold {
  readonly siteName: string;
  readonly digest: Digest;
  readonly patches: number;
  /** Versions that came after the one from which it started. */
  readonly staleness: number;
}

interface FoldFacts {
  readonly roundId: string;
  readonly campaign: Campaign;
  readonly roundNumber: number;
  readonly base: ModelVersion;
  /** The version of the last round of the same part, whose state this round takes up; null in the first. */
  readonly before: ModelVersion | null;
  readonly updates: readonly UpdateToFold[];
  /** The mean of the updates'; undefined where none reports any. */
  readonly monitors: UpdateMonitors | undefined;
}

/** Turns a round's updates into the next model version: the blobs first, then one transaction for version and round. */
@Injectable()
export class RoundFold {
  private readonly log: Log;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly updates: UpdateLedger,
    private readonly models: ModelLedger,
    private readonly engine: FoldEngine,
    private readonly noise: RoundNoise,
    private readonly spans: RoundSpans,
    log: Log,
    private readonly holds: BlobHolds,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    @Inject(HOME) private readonly home: HomeFolder,
  ) {
    this.log = log.part('rounds');
  }

  /** Idempotent: after a crash at any point it gives the same bytes again. Returns the events to publish. */
  async fold(roundId: string, signal: AbortSignal): Promise<CampaignEvent[]> {
    const facts = await this.factsOf(roundId);
    return this.writeNext(facts, signal, (outcome) => this.record(facts, outcome));
  }

  private record({ roundId, base, monitors }: FoldFacts, outcome: FoldOutcome): Promise<CampaignEvent[]> {
    const { digest, bytes, state, delta } = outcome;
    return this.unitOfWork.transact(async (records) => {
      const round = required(await this.ledger.get(records, roundId), 'the round being folded');
      if (round.state !== 'aggregating') return [];
      const campaign = await this.register.get(records, round.campaignId);
      const version = { campaignId: campaign.id, number: base.number + 1, roundId, digest, bytes };
      const carried = { stateDigest: state?.digest ?? null, stateBytes: state?.bytes ?? null };
      const defined = { deltaDigest: delta?.digest ?? null, deltaBytes: delta?.bytes ?? null };
      await this.models.append(records, { ...version, ...carried, ...defined });
      return [await this.ledger.moveRound(records, campaign, round, 'finished', { versionDigest: digest, monitors })];
    });
  }

  private factsOf(roundId: string): Promise<FoldFacts> {
    return this.unitOfWork.transact(async (records) => {
      const round = required(await this.ledger.get(records, roundId), 'the round to fold');
      const campaign = await this.register.get(records, round.campaignId);
      const base = required(await this.models.version(records, campaign.id, round.baseVersion), 'the base version');
      const counted = await this.updates.countedIn(records, roundId);
      const made = await this.ledger.participationsById(
        records,
        counted.map(({ participationId }) => participationId),
      );
      const baseOf = new Map((await this.ledger.roundsOf(records, campaign.id)).map(({ id, baseVersion }) => [id, baseVersion]));
      const updates = counted.map(({ participationId, roundId: madeFor, digest, patches }) => {
        const { siteName } = required(
          made.find(({ id }) => id === participationId),
          'the participation of an update',
        );
        return { siteName, digest, patches, staleness: base.number - required(baseOf.get(madeFor), 'the base of an update') };
      });
      const before = await this.beforeIt(records, campaign, round.number, base);
      const monitors = meanMonitors(counted.map(({ report }) => report));
      return { roundId, campaign, roundNumber: round.number, base, before, updates: updates.sort(bySiteThenAge), monitors };
    });
  }

  /** Rounds of another part in between carry a state of their own, which is none of this round's business. */
  private async beforeIt(
    records: EntityManager,
    { id, plan }: Campaign,
    roundNumber: number,
    base: ModelVersion,
  ): Promise<ModelVersion | null> {
    if (partOfRound(plan.objective, roundNumber) === 'all') return base;
    const previous = previousRoundOfPart(plan.objective, roundNumber);
    // Each round makes one version, and version 1 was there before: that of round n is n + 1.
    return previous === undefined ? null : this.models.version(records, id, previous + 1);
  }

  /** The files stay held until `record` is done: bytes that an earlier row named may be on their way out. */
  private async writeNext<T>(
    { roundId, campaign, roundNumber, base, before, updates }: FoldFacts,
    signal: AbortSignal,
    record: (outcome: FoldOutcome) => Promise<T>,
  ): Promise<T> {
    const { model, digest = 'sha256' } = campaign.plan;
    const round = { roundId, campaignId: campaign.id, campaignName: campaign.name, roundNumber };
    const about = { campaign: campaign.name, campaignId: campaign.id, round: roundNumber, roundId };
    const state = before?.stateDigest ?? null;
    const outputPath = join(this.home.blobs, `${newId('fold')}.partial`);
    const stateOutputPath = join(this.home.blobs, `${newId('state')}.partial`);
    const deltaOutputPath = join(this.home.blobs, `${newId('delta')}.partial`);
    const delta = deltaOrder(campaign.plan, roundNumber, base.digest, deltaOutputPath);
    const summed = { roundId, base: base.digest, updates: updates.map((update) => update.digest) };
    const folded = [];
    for (const { digest: named, ...update } of updates) folded.push({ ...update, path: await this.blobs.localPath(named) });
    try {
      const job = {
        manifest: manifestOfRound(campaign.plan, roundNumber),
        basePath: await this.blobs.localPath(base.digest),
        statePath: state === null ? null : await this.blobs.localPath(state),
        updates: folded,
        recipe: recipeOfRound(campaign.plan, roundNumber),
        mayLack: tensorsToLack(campaign.plan),
        noise: this.noise.orderFor(campaign.plan.privacy, summed),
        metadata: weightFileMetadata(model, base.number + 1),
        sitesOfCampaign: campaign.sites.length,
        digest,
        outputPath,
        stateOutputPath,
        delta,
        signal,
      };
      const outcome = await this.spans.during(
        'fold',
        round,
        () => this.engine.fold(job),
        ({ bytes }) => ({ 'consilium.updates': folded.length, 'consilium.bytes': bytes }),
      );
      if (delta !== undefined && outcome.delta === null) {
        this.log.warn(
          `${campaign.name}: a weight moved too far for ${delta.format}; sites fetch version ${base.number + 1} whole`,
          about,
        );
      }
      for (const { siteName, code } of outcome.leftOut)
        this.log.info(`${campaign.name}: ${siteName} was left out (${code})`, { ...about, site: siteName, code });
      const files = [
        { path: outputPath, digest: outcome.digest },
        ...(outcome.state === null ? [] : [{ path: stateOutputPath, digest: outcome.state.digest }]),
        ...(outcome.delta === null ? [] : [{ path: deltaOutputPath, digest: outcome.delta.digest }]),
      ];
      const publish = async (): Promise<T> => {
        for (const file of files) await this.blobs.place(file.path, file.digest);
        return record(outcome);
      };
      const held = files.map(({ digest: made }) => made);
      return await this.spans.during('publish', round, () => this.holds.during(held, publish));
    } finally {
      await this.engine.discard([outputPath, stateOutputPath, deltaOutputPath]);
    }
  }
}

/** The campaign's recipe, or in an adversary round the step that Adam makes there whatever the recipe. */
function recipeOfRound({ objective, recipe, rounds }: CampaignPlan, roundNumber: number): FoldRecipe {
  const frozen = frozenAdversary(objective);
  const place = placeOfRound(objective, roundNumber, rounds);
  if (frozen === undefined || place.part !== 'adversary') return recipe;
  const { learningRate, patches } = frozen;
  return { name: 'adversary-adam', learningRate, patches, step: adversaryStepOf(place) };
}

/**
 * How the next version is defined by the one before; undefined where it is what the recipe makes. An adversary round moves a small
 * part of the model: unless whole versions are asked for, sites fetch its change in 32 bits.
 */
function deltaOrder(plan: CampaignPlan, roundNumber: number, parent: Digest, outputPath: string): DeltaOrder | undefined {
  if (partOfRound(plan.objective, roundNumber) === 'adversary') {
    if (plan.updates?.download === 'whole') return undefined;
    return { format: 'f32', errorFeedback: false, parent, outputPath };
  }
  if (plan.updates === undefined || !downloadsDeltas(plan)) return undefined;
  const { format, errorFeedback } = plan.updates;
  return { format, errorFeedback, parent, outputPath };
}

/** The order of the sums: by site, and of two updates of one site the older one first. */
function bySiteThenAge(a: UpdateToFold, b: UpdateToFold): number {
  if (a.siteName !== b.siteName) return a.siteName < b.siteName ? -1 : 1;
  return b.staleness - a.staleness;
}
