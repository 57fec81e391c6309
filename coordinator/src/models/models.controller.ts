import { type CampaignView, type FederatedPassport, parseWith, versionPinSchema, type VersionView } from '@consilium/shared/wire';
import { Body, Controller, Get, HttpCode, Inject, Param, ParseIntPipe, Post, Res, UseGuards } from '@nestjs/common';
import type { Response } from 'express';
import type { EntityManager } from 'typeorm';
import { NeedsRole } from '../access/needs-role.js';
import type { OperatorCaller } from '../access/operator-caller.js';
import { Caller, RequireOperator } from '../access/require-operator.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { weightsDropped } from '../blobs/weights-dropped.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { versionView } from '../campaigns/campaign-views.js';
import { TransferCounters } from '../metrics/transfer-counters.js';
import { BLOB_STORE } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { sendBlob } from '../transfer/send-blob.js';
import { ModelLedger } from './model-ledger.js';
import { ModelPassports } from './model-passports.js';
import { VersionPins } from './version-pins.js';

/** The operator's view of a campaign's model versions. */
@Controller('api/campaigns/:idOrName/versions')
@UseGuards(RequireOperator)
@NeedsRole('read')
export class ModelsController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly models: ModelLedger,
    private readonly passports: ModelPassports,
    private readonly pins: VersionPins,
    private readonly transfers: TransferCounters,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
  ) {}

  @Get()
  async list(@Param('idOrName') idOrName: string): Promise<CampaignView['version'][]> {
    return this.unitOfWork.transact(async (records) => {
      const { id } = await this.register.get(records, idOrName);
      const scores = await this.models.scoresOf(records, id);
      return (await this.models.versionsOf(records, id)).map((version) => versionView(version, scores));
    });
  }

  /** Where the version comes from, to be checked by anybody. */
  @Get(':number/passport')
  async passport(@Param('idOrName') idOrName: string, @Param('number', ParseIntPipe) number: number): Promise<FederatedPassport> {
    return this.unitOfWork.transact(async (records) => {
      return this.passports.issue(records, await this.register.get(records, idOrName), number);
    });
  }

  /** The weights as a safetensors file; the digest is the entity tag. */
  @Get(':number/content')
  async content(
    @Param('idOrName') idOrName: string,
    @Param('number', ParseIntPipe) number: number,
    @Res() response: Response,
  ): Promise<void> {
    const version = await this.unitOfWork.transact(async (records) => {
      const campaign = await this.register.get(records, idOrName);
      return this.models.requireVersion(records, campaign, number);
    });
    if (version.droppedAtMs !== null) throw weightsDropped(`version ${number} of the campaign ${idOrName}`, version.digest);
    this.transfers.sentBytes += await sendBlob(response, await this.blobs.localPath(version.digest), version.digest);
  }

  /** Keeps the version under a name, whatever the rules of retention say. */
  @Post(':number/pin')
  @HttpCode(200)
  @NeedsRole('operate')
  async pin(
    @Param('idOrName') idOrName: string,
    @Param('number', ParseIntPipe) number: number,
    @Body() body: unknown,
    @Caller() { actor }: OperatorCaller,
  ): Promise<VersionView> {
    const { name } = parseWith(versionPinSchema, body, 'ARGUMENT_INVALID', 'the pin');
    return this.changed(idOrName, number, (records, campaign) => this.pins.pin(records, campaign, { number, name, by: actor }));
  }

  /** Leaves the version to the rules of retention again. */
  @Post(':number/unpin')
  @HttpCode(200)
  @NeedsRole('operate')
  async unpin(
    @Param('idOrName') idOrName: string,
    @Param('number', ParseIntPipe) number: number,
    @Caller() { actor }: OperatorCaller,
  ): Promise<VersionView> {
    return this.changed(idOrName, number, (records, campaign) => this.pins.unpin(records, campaign, { number, by: actor }));
  }

  private async changed(
    idOrName: string,
    number: number,
    change: (records: EntityManager, campaign: Campaign) => Promise<void>,
  ): Promise<VersionView> {
    return this.unitOfWork.transact(async (records) => {
      const campaign = await this.register.get(records, idOrName);
      await change(records, campaign);
      const scores = await this.models.scoresOf(records, campaign.id);
      return versionView(await this.models.requireVersion(records, campaign, number), scores);
    });
  }
}
