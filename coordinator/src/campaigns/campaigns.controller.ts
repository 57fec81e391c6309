import { type CampaignView, campaignPlanSchema, parseWith } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Param, Post, UseGuards } from '@nestjs/common';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { CampaignCommands } from './campaign-commands.js';
import { CampaignRegister } from './campaign-register.js';
import { CampaignViews } from './campaign-views.js';

/** The operator's campaigns, by id or name. */
@Controller('api/campaigns')
@UseGuards(RequireOperator)
@NeedsRole('operate')
export class CampaignsController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly views: CampaignViews,
    private readonly commands: CampaignCommands,
  ) {}

  @Get()
  @NeedsRole('read')
  async list(): Promise<CampaignView[]> {
    return this.unitOfWork.transact(async (records) => {
      const views = [];
      for (const campaign of await this.register.list(records)) views.push(await this.views.view(records, campaign));
      return views;
    });
  }

  @Post()
  async start(@Body() body: unknown, @Caller() caller: OperatorCaller): Promise<CampaignView> {
    const plan = parseWith(campaignPlanSchema, body, 'CAMPAIGN_INVALID', 'the campaign');
    return this.show(await this.commands.start(plan, caller.actor));
  }

  @Get(':idOrName')
  @NeedsRole('read')
  async show(@Param('idOrName') idOrName: string): Promise<CampaignView> {
    return this.unitOfWork.transact(async (records) => this.views.view(records, await this.register.get(records, idOrName)));
  }

  @Post(':idOrName/pause')
  @HttpCode(200)
  async pause(@Param('idOrName') idOrName: string, @Caller() caller: OperatorCaller): Promise<CampaignView> {
    await this.commands.pause(idOrName, caller.actor);
    return this.show(idOrName);
  }

  @Post(':idOrName/resume')
  @HttpCode(200)
  async resume(@Param('idOrName') idOrName: string, @Caller() caller: OperatorCaller): Promise<CampaignView> {
    await this.commands.resume(idOrName, caller.actor);
    return this.show(idOrName);
  }

  @Post(':idOrName/cancel')
  @HttpCode(200)
  async cancel(@Param('idOrName') idOrName: string, @Caller() caller: OperatorCaller): Promise<CampaignView> {
    await this.commands.cancel(idOrName, caller.actor);
    return this.show(idOrName);
  }
}
