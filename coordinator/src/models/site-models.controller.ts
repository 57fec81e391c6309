import { FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS, type FederatedPassport, type SiteCampaign } from '@consilium/shared/wire';
import { Controller, Get, Param, ParseIntPipe, Query, Req, UseGuards } from '@nestjs/common';
import type { Request } from 'express';
import type { EntityManager } from 'typeorm';
import { callingSite, RequireSite } from '../access/require-site.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { ModelLedger } from './model-ledger.js';
import { ModelPassports } from './model-passports.js';

/** A site's view of the model versions of its own campaigns; the weights are fetched as blobs. Nothing here changes anything. */
@Controller(DATA_PATHS.campaigns)
@UseGuards(RequireSite)
export class SiteModelsController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly models: ModelLedger,
    private readonly passports: ModelPassports,
  ) {}

  /** Newest campaign first, with the asking site's own scores. */
  @Get()
  async list(@Req() request: Request): Promise<SiteCampaign[]> {
    const { id } = callingSite(request);
    return this.unitOfWork.transact(async (records) => {
      const own = (await this.register.list(records)).filter((campaign) => takesPart(campaign, id));
      const listed = [];
      for (const campaign of own) listed.push(await this.view(records, campaign, id));
      return listed;
    });
  }

  @Get(':campaignId/versions/:number/passport')
  async passport(
    @Param('campaignId') campaignId: string,
    @Param('number', ParseIntPipe) number: number,
    @Query('signed') signed: string | undefined,
    @Req() request: Request,
  ): Promise<FederatedPassport> {
    const { id } = callingSite(request);
    return this.unitOfWork.transact(async (records) => {
      const campaign = await this.register.get(records, campaignId);
      if (!takesPart(campaign, id)) throw new FederationError('NOT_FOUND', 'this site takes no part in such a campaign');
      const { signature, ...passport } = await this.passports.issue(records, campaign, number);
      // Agents of before signatures refuse what they do not know.
      return signed === undefined ? passport : { ...passport, signature };
    });
  }

  private async view(records: EntityManager, { id, name, state }: Campaign, siteId: string): Promise<SiteCampaign> {
    const scores = (await this.models.scoresOf(records, id)).filter((score) => score.siteId === siteId);
    const scoreOf = new Map(scores.map(({ versionNumber, score }) => [versionNumber, score]));
    const versions = (await this.models.versionsOf(records, id)).map(({ number, digest, bytes, createdAtMs, droppedAtMs }) => {
      const dropped = droppedAtMs === null ? {} : { droppedAtMs };
      return { number, digest, bytes, createdAtMs, ...dropped, score: scoreOf.get(number) ?? null };
    });
    return { id, name, state, versions };
  }
}

function takesPart({ sites }: Campaign, siteId: string): boolean {
  return sites.some(({ id }) => id === siteId);
}
