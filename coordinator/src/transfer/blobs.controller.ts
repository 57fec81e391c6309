import { type Clock, FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS, digestField, parseWith } from '@consilium/shared/wire';
import { Controller, Get, Inject, Param, Req, Res, UseGuards } from '@nestjs/common';
import type { Request, Response } from 'express';
import { callingSite, RequireSite } from '../access/require-site.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { weightsDropped } from '../blobs/weights-dropped.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { TransferCounters } from '../metrics/transfer-counters.js';
import { ModelLedger } from '../models/model-ledger.js';
import { BLOB_STORE, CLOCK } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { RoundSpans } from '../tracing/round-spans.js';
import { sendBlob } from './send-blob.js';

/** Downloads for sites: model versions of their own campaigns, the deltas between them and what recipes carry, nothing else. */
@Controller(DATA_PATHS.blobs)
@UseGuards(RequireSite)
export class BlobsController {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly models: ModelLedger,
    private readonly register: CampaignRegister,
    private readonly transfers: TransferCounters,
    private readonly spans: RoundSpans,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  @Get(':digest')
  async download(@Param('digest') text: string, @Req() request: Request, @Res() response: Response): Promise<void> {
    const digest = parseWith(digestField, text, 'MESSAGE_REFUSED', 'the digest');
    const site = callingSite(request);
    const theirs = await this.unitOfWork.transact(async (records) => {
      const versions = [];
      for (const version of await this.models.versionsWithFile(records, digest)) {
        if ((await this.register.get(records, version.campaignId)).sites.some(({ id }) => id === site.id)) versions.push(version);
      }
      return versions;
    });
    const [first] = theirs;
    if (first === undefined) throw new FederationError('NOT_FOUND', 'no campaign of this site has a file with this digest');
    if (theirs.every(({ droppedAtMs }) => droppedAtMs !== null)) throw weightsDropped(`version ${first.number}`, digest);
    const sinceMs = this.clock.nowMs();
    const sentBytes = await sendBlob(response, await this.blobs.localPath(digest), digest);
    this.transfers.sentBytes += sentBytes;
    this.spans.sent(new Set(theirs.map(({ campaignId }) => campaignId)), site.name, sentBytes, sinceMs);
  }
}
