import { type CampaignView, campaignPlanSchema, parseWith } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { RequireOperator } from '../access/require-operator.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { CampaignCommands } from './campaign-commands.js';
import { CampaignRegister } from './campaign-register.js';
import { CampaignViews } from './campaign-views.js';

/** The operator's campaigns, by id or name. */
@Controller('api/campaigns')
@UseGuards(RequireOperator)
export class CampaignsController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly views: CampaignViews,
    private readonly commands: CampaignCommands,
  ) {}

  @Get()
  async list(): Promise<CampaignView[]> {
    return this.unitOfWork.transact(async (records) => {
      const views = [];
      for (const campaign of await this.register.list(records)) views.push(await this.views.view(records, campaign));
      return views;
    });
  }

  @Post()
  async start(@Body() body: unknown): Promise<CampaignView> {
    return this.show(await this.commands.start(parseWith(campaignPlanSchema, body, 'CAMPAIGN_INVALID', 'the campaign')));
  }

  @Get(':idOrName')
  async show(@Param('idOrName') idOrName: string): Promise<CampaignView> {
    return this.unitOfWork.transact(async (records) => this.views.view(records, await this.register.get(records, idOrName)));
  }

  @Post(':idOrName/pause')
  @HttpCode(200)
  async pause(@Param('idOrName') idOrName: string): Promise<CampaignView> {
    await this.commands.pause(idOrName);
    return this.show(idOrName);
  }

  @Post(':idOrName/resume')
  @HttpCode(200)
  async resume(@Param('idOrName') idOrName: string): Promise<CampaignView> {
    await this.commands.resume(idOrName);
    return this.show(idOrName);
  }

  @Post(':idOrName/cancel')
  @HttpCode(200)
  async cancel(@Param('idOrName') idOrName: string): Promise<CampaignView> {
    await this.commands.cancel(idOrName);
    return this.show(idOrName);
  }
}
