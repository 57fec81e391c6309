import { algorithmOf, digestOfJson, FederationError } from '@consilium/shared/kernel';
import {
  type FederatedPassport,
  type LineageLink,
  PASSPORT_FORMAT,
  type PrivacyPlan,
  PROTOCOL_VERSION,
  sealed,
} from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type SigningKey, signedPassport } from '@consilium/shared/identity';
import type { EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { COORDINATOR_VERSION } from '../config/coordinator-version.js';
import { COORDINATOR_KEY } from '../ports.js';
import type { Round } from '../rounds/round.entity.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import { RoundNoise } from '../rounds/round-noise.js';
import { UpdateLedger } from '../updates/update-ledger.js';
import { ModelLedger } from './model-ledger.js';
import type { ModelVersion } from './model-version.entity.js';
import type { VersionScore } from './version-score.entity.js';

/** Writes passports of model versions from the records. Methods run inside the caller's transaction. */
@Injectable()
export class ModelPassports {
  constructor(
    private readonly models: ModelLedger,
    private readonly ledger: RoundLedger,
    private readonly updates: UpdateLedger,
    private readonly noise: RoundNoise,
    @Inject(COORDINATOR_KEY) private readonly key: SigningKey,
  ) {}

  /** Signed with the coordinator's key. NOT_FOUND when the campaign has no such version. The history never changes; scores are those that are known when it is asked. */
  async issue(records: EntityManager, campaign: Campaign, number: number): Promise<FederatedPassport> {
    const versions = (await this.models.versionsOf(records, campaign.id)).filter((version) => version.number <= number);
    const version = versions.at(-1);
    if (version?.number !== number) {
      throw new FederationError('NOT_FOUND', `the campaign ${campaign.name} has no version ${number}`, {
        remedy: `List them with "coordinator model list ${campaign.name}".`,
      });
    }
    const { name, plan } = campaign;
    const { model, objective, recipe, training, seed } = plan;
    const passport = sealed({
      format: PASSPORT_FORMAT,
      kind: 'federated' as const,
      model: { digest: version.digest, digestAlgorithm: algorithmOf(version.digest), bytes: version.bytes, spec: model },
      campaign: { name, planDigest: digestOfJson(plan), seed, objective, recipe, training },
      lineage: await this.lineageOf(records, campaign, versions),
      scores: meanScores(await this.models.scoresOf(records, campaign.id), number),
      software: { coordinator: COORDINATOR_VERSION, protocol: String(PROTOCOL_VERSION), node: process.version },
    });
    return signedPassport(this.key, passport);
  }

  private async lineageOf(
    records: EntityManager,
    { id: campaignId, plan: { privacy } }: Campaign,
    versions: readonly ModelVersion[],
  ): Promise<LineageLink[]> {
    const rounds = new Map((await this.ledger.roundsOf(records, campaignId)).map((round) => [round.id, round]));
    const links: LineageLink[] = [];
    for (const { number, digest, roundId } of versions) {
      const before = links.at(-1);
      const round = roundId === null ? undefined : rounds.get(roundId);
      links.push(
        sealed({
          number,
          digest,
          parent: before?.digest ?? null,
          round: round === undefined ? null : await this.roundPart(records, round, privacy),
          previous: before?.seal ?? null,
        }),
      );
    }
    return links;
  }

  private async roundPart(
    records: EntityManager,
    { id, number, attempt }: Round,
    privacy: PrivacyPlan | undefined,
  ): Promise<LineageLink['round']> {
    const counted = await this.updates.countedIn(records, id);
    // By digest: the order of the sites would tell which update is whose.
    const updates = counted
      .map(({ digest, patches }) => ({ digest: this.noise.nameFor(privacy, digest), patches }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
    const patches = updates.reduce((sum, update) => sum + update.patches, 0);
    return {
      number,
      attempt,
      sites: updates.length,
      patches,
      updates,
      ...(privacy === undefined ? {} : { privacy: noiseOf(privacy) }),
    };
  }
}

function noiseOf({ form, clipNorm, noiseMultiplier }: PrivacyPlan): NonNullable<NonNullable<LineageLink['round']>['privacy']> {
  return { form, clipNorm, noiseMultiplier };
}

function meanScores(scores: readonly VersionScore[], newest: number): FederatedPassport['scores'] {
  const numbers = [...new Set(scores.map(({ versionNumber }) => versionNumber))].filter((number) => number <= newest);
  return numbers
    .sort((a, b) => a - b)
    .map((number) => {
      const own = scores.filter(({ versionNumber }) => versionNumber === number).map(({ score }) => score);
      const mean = (read: (score: VersionScore['score']) => number): number =>
        own.reduce((sum, score) => sum + read(score), 0) / own.length;
      const meanSkill = mean(({ skill }) => skill);
      return { number, sites: own.length, meanSkill, meanRestorationError: mean(({ restorationError }) => restorationError) };
    });
}
