import { FederationError } from '@consilium/shared/kernel';
import type { CampaignView, FederatedPassport } from '@consilium/shared/wire';
import { Controller, Get, Inject, Param, ParseIntPipe, Res, UseGuards } from '@nestjs/common';
import type { Response } from 'express';
import { NeedsRole } from '../access/needs-role.js';
import { RequireOperator } from '../access/require-operator.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { versionView } from '../campaigns/campaign-views.js';
import { TransferCounters } from '../metrics/transfer-counters.js';
import { BLOB_STORE } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { sendBlob } from '../transfer/send-blob.js';
import { ModelLedger } from './model-ledger.js';
import { ModelPassports } from './model-passports.js';

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
      const { id } = await this.register.get(records, idOrName);
      return this.models.version(records, id, number);
    });
    if (version === null) {
      throw new FederationError('NOT_FOUND', `the campaign ${idOrName} has no version ${number}`, {
        remedy: `List them with "coordinator model list ${idOrName}".`,
      });
    }
    this.transfers.sentBytes += await sendBlob(response, await this.blobs.localPath(version.digest), version.digest);
  }
}
