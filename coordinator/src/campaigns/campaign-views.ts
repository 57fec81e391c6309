import { required } from '@consilium/shared/kernel';
import { type CampaignView, roundPlaceView, type RoundView } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { ModelLedger } from '../models/model-ledger.js';
import type { ModelVersion } from '../models/model-version.entity.js';
import type { VersionScore } from '../models/version-score.entity.js';
import type { Participation } from '../rounds/participation.entity.js';
import type { Round } from '../rounds/round.entity.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import type { Update } from '../updates/update.entity.js';
import { meanMonitors } from '../updates/mean-monitors.js';
import { isCounting, UpdateLedger } from '../updates/update-ledger.js';
import type { Campaign } from './campaign.entity.js';
import { campaignPrivacy } from './campaign-privacy.js';

/** Campaigns as operators see them. Methods run inside the caller's transaction. */
@Injectable()
export class CampaignViews {
  constructor(
    private readonly ledger: RoundLedger,
    private readonly models: ModelLedger,
    private readonly updates: UpdateLedger,
  ) {}

  async view(records: EntityManager, campaign: Campaign): Promise<CampaignView> {
    const rounds = await this.ledger.roundsOf(records, campaign.id);
    const versions = await this.models.versionsOf(records, campaign.id);
    const scores = await this.models.scoresOf(records, campaign.id);
    const roundViews = await this.roundViews(records, campaign.plan, rounds, versions, scores);
    const { id, name, state, createdAtMs, code } = campaign;
    const privacy = campaign.plan.privacy && (await this.privacy(records, campaign, rounds));
    return {
      id,
      name,
      state,
      createdAtMs,
      code,
      ...(privacy === undefined ? {} : { privacy }),
      rounds: campaign.plan.rounds,
      finishedRounds: rounds.filter((round) => round.state === 'finished').length,
      initialVersion: versionView(required(versions[0], 'version 1'), scores),
      version: versionView(required(versions.at(-1), 'the newest version'), scores),
      roundViews,
    };
  }

  private async privacy(
    records: EntityManager,
    { plan, sites }: Campaign,
    rounds: readonly Round[],
  ): Promise<CampaignView['privacy']> {
    const updates = await this.updates.ofRounds(
      records,
      rounds.map(({ id }) => id),
    );
    const parts = await this.ledger.participationsById(
      records,
      updates.map(({ participationId }) => participationId),
    );
    const siteOf = new Map(parts.map(({ id, siteName }) => [id, siteName]));
    const finished = new Set(rounds.filter(({ state }) => state === 'finished').map(({ id }) => id));
    const released = updates.map((update) => ({
      siteName: required(siteOf.get(update.participationId), 'the site of an update'),
      isFolded: isCounting(update) && update.foldRoundId !== null && finished.has(update.foldRoundId),
    }));
    return campaignPrivacy(
      plan,
      sites.map(({ name }) => name),
      released,
    );
  }

  private async roundViews(
    records: EntityManager,
    plan: Campaign['plan'],
    rounds: readonly Round[],
    versions: readonly ModelVersion[],
    scores: readonly VersionScore[],
  ): Promise<RoundView[]> {
    const roundIds = rounds.map(({ id }) => id);
    const participations = await this.ledger.participationsOf(records, roundIds);
    const updates = await this.updates.ofRounds(records, roundIds);
    const numberOf = new Map(rounds.map(({ id, number }) => [id, number]));
    const updateOf = new Map(updates.map((update) => [update.participationId, update]));
    return rounds.map((round) => {
      const version = versions.find(({ roundId }) => roundId === round.id);
      const counted = updates.filter((update) => update.foldRoundId === round.id && isCounting(update));
      const monitors = meanMonitors(counted.map(({ report }) => report));
      return {
        id: round.id,
        number: round.number,
        place: roundPlaceView(plan, round.number),
        attempt: round.attempt,
        state: round.state,
        code: round.code,
        startedAtMs: round.startedAtMs,
        finishedAtMs: round.finishedAtMs,
        baseVersion: round.baseVersion,
        version: version === undefined ? null : versionView(version, scores),
        ...(monitors === undefined ? {} : { monitors }),
        participations: participations
          .filter(({ roundId }) => roundId === round.id)
          .map((participation) => {
            const update = updateOf.get(participation.id);
            return participationView(participation, update, numberOf.get(update?.foldRoundId ?? '') ?? null);
          }),
      };
    });
  }
}

/** A version with every score that sites have sent for it. */
export function versionView(version: ModelVersion, scores: readonly VersionScore[]): CampaignView['version'] {
  const { number, digest, bytes, pin, droppedAtMs } = version;
  const own = scores.filter(({ versionNumber }) => versionNumber === number);
  const told = own.map(({ siteName, score, monitors }) => ({ siteName, score, ...(monitors === null ? {} : { monitors }) }));
  const kept = { ...(pin === null ? {} : { pin }), ...(droppedAtMs === null ? {} : { droppedAtMs }) };
  return { number, digest, bytes, scores: told, ...kept };
}

function participationView(
  { id, siteName, state, code }: Participation,
  update: Update | undefined,
  countedInRound: number | null,
): RoundView['participations'][number] {
  const { patches = null, meanLoss = null, trainingMs = null, monitors } = update?.report ?? {};
  const figures = { patches, bytes: update?.bytes ?? null, countedInRound, meanLoss, trainingMs };
  return { id, siteName, state, code, ...figures, ...(monitors === undefined ? {} : { monitors }) };
}
