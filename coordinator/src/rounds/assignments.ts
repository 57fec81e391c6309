import { type Clock, digestOfJson, required } from '@consilium/shared/kernel';
import {
  type Assignment,
  isBuffered,
  keepsFigures,
  type LocalRule,
  partOfRound,
  protocolOfPlan,
  type RecipePlan,
  type RoundPlan,
  type VersionDelta,
  type VersionReference,
} from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { ModelLedger } from '../models/model-ledger.js';
import type { ModelVersion } from '../models/model-version.entity.js';
import { CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import type { Round } from './round.entity.js';
import { RoundLedger } from './round-ledger.js';
import { isRoundReceiving } from './round-states.js';

/** What a site should be doing now, derived from the facts alone: a site that was away simply asks again. */
@Injectable()
export class Assignments {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly models: ModelLedger,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * The oldest open part in a round, whatever protocol its plan needs; else a score that is still missing and that the site's
   * protocol can carry; else nothing.
   */
  async current(siteId: string, protocol: number): Promise<Assignment | null> {
    return this.unitOfWork.transact(
      async (records) => (await this.toTrain(records, siteId, protocol)) ?? (await this.toScore(records, siteId, protocol)),
    );
  }

  private async toTrain(records: EntityManager, siteId: string, protocol: number): Promise<Assignment | null> {
    for (const { id, roundId } of await this.ledger.openOf(records, siteId)) {
      const round = required(await this.ledger.get(records, roundId), 'the round of a participation');
      const campaign = await this.register.get(records, round.campaignId);
      if (!isRoundReceiving(round.state) && !isBuffered(campaign.plan.recipe)) continue;
      const base = required(await this.models.version(records, campaign.id, round.baseVersion), 'the base version');
      // A site of protocol 1 could not read a plan that tells the size of the cohort, and does without.
      const cohort = protocol >= 2 ? { cohortSites: await this.ledger.countInvited(records, roundId) } : {};
      const plan = { ...roundPlan(campaign, round, base, await this.models.deltaOf(records, base)), ...cohort };
      const remainingMs = Math.max(0, round.deadlineAtMs - this.clock.nowMs());
      return { kind: 'train', participationId: id, plan, planDigest: digestOfJson(plan), remainingMs };
    }
    return null;
  }

  private async toScore(records: EntityManager, siteId: string, protocol: number): Promise<Assignment | null> {
    for (const campaign of await this.register.moving(records)) {
      if (campaign.state !== 'scoring' || keepsFigures(campaign.plan) || !campaign.sites.some(({ id }) => id === siteId))
        continue;
      const version = await this.models.newest(records, campaign.id);
      if (await this.models.hasScore(records, campaign.id, version.number, siteId)) continue;
      const { model, objective, patch, probe, seed, siteLocal } = campaign.plan;
      const names = { campaignId: campaign.id, campaignName: campaign.name };
      const own = siteLocal === undefined ? {} : { siteLocal };
      // A site of protocol 1 may score as well: it fetches the version whole.
      const baseDelta = protocol >= 2 ? await this.models.deltaOf(records, version) : undefined;
      const way = baseDelta === undefined ? {} : { baseDelta };
      const plan = { ...names, model, objective, patch, probe, seed, ...own, ...way, version: reference(version) };
      if (protocolOfPlan(plan) <= protocol) return { kind: 'score', plan };
    }
    return null;
  }
}

function roundPlan(campaign: Campaign, round: Round, base: ModelVersion, baseDelta: VersionDelta | undefined): RoundPlan {
  const { model, objective, patch, training, probe, seed, rounds, updates, siteLocal, privacy } = campaign.plan;
  // A gradient goes out in full: rounding it would part the sum from the central one, and error feedback from the weights' own.
  const isGradient = partOfRound(objective, round.number) === 'adversary';
  const localRule = isGradient ? undefined : localRuleOf(campaign.plan.recipe, base);
  return {
    campaignId: campaign.id,
    campaignName: campaign.name,
    roundId: round.id,
    roundNumber: round.number,
    rounds,
    model,
    base: reference(base),
    objective,
    patch,
    training,
    probe,
    seed,
    ...(localRule === undefined ? {} : { localRule }),
    ...(updates === undefined || isGradient ? {} : { updates }),
    ...(siteLocal === undefined ? {} : { siteLocal }),
    ...(privacy === undefined ? {} : { privacy }),
    ...(baseDelta === undefined ? {} : { baseDelta }),
  };
}

/** The site's half of a recipe; undefined for plain local training. */
function localRuleOf(recipe: RecipePlan, { stateDigest, stateBytes }: ModelVersion): LocalRule | undefined {
  if (recipe.name === 'fedprox') return { kind: 'proximal', mu: recipe.mu };
  if (recipe.name !== 'scaffold') return undefined;
  const hasControl = stateDigest !== null && stateBytes !== null;
  return { kind: 'control-variates', control: hasControl ? { digest: stateDigest, bytes: stateBytes } : null };
}

function reference({ number, digest, bytes }: ModelVersion): VersionReference {
  return { number, digest, bytes };
}
