import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { manifestOf } from '@consilium/shared/models';
import { type Digest, required } from '@consilium/shared/kernel';
import type { CampaignEvent, CampaignPlan } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { foldFiles } from '../aggregation/fold-files.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { ModelLedger } from '../models/model-ledger.js';
import { weightFileMetadata } from '../models/weight-file-metadata.js';
import { BLOB_STORE } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { Update } from '../updates/update.entity.js';
import { RoundLedger } from './round-ledger.js';

interface FoldFacts {
  readonly plan: CampaignPlan;
  readonly baseDigest: Digest;
  readonly nextNumber: number;
  readonly updates: readonly { siteName: string; patches: number; digest: Digest }[];
}

/** Turns a round's updates into the next model version: the blob first, then one transaction for version and round. */
@Injectable()
export class RoundFold {
  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly register: CampaignRegister,
    private readonly ledger: RoundLedger,
    private readonly models: ModelLedger,
    @Inject(BLOB_STORE) private readonly blobs: BlobStore,
  ) {}

  /** Idempotent: after a crash at any point it gives the same bytes again. Returns the events to publish. */
  async fold(roundId: string, signal: AbortSignal): Promise<CampaignEvent[]> {
    const facts = await this.factsOf(roundId);
    const blob = await this.writeNext(facts, signal);
    return this.unitOfWork.transact(async (records) => {
      const round = required(await this.ledger.get(records, roundId), 'the round being folded');
      if (round.state !== 'aggregating') return [];
      const campaign = await this.register.get(records, round.campaignId);
      await this.models.append(records, { campaignId: campaign.id, number: facts.nextNumber, roundId, ...blob });
      return [await this.ledger.moveRound(records, campaign, round, 'finished', { versionDigest: blob.digest })];
    });
  }

  private factsOf(roundId: string): Promise<FoldFacts> {
    return this.unitOfWork.transact(async (records) => {
      const round = required(await this.ledger.get(records, roundId), 'the round to fold');
      const campaign = await this.register.get(records, round.campaignId);
      const base = required(await this.models.version(records, campaign.id, round.baseVersion), 'the base version');
      const delivered = (await this.ledger.participationsOf(records, [roundId])).filter(({ state }) => state === 'delivered');
      const updates = await records.findBy(Update, { participationId: In(delivered.map(({ id }) => id)) });
      const byParticipation = new Map(updates.map((update) => [update.participationId, update]));
      return {
        plan: campaign.plan,
        baseDigest: base.digest,
        nextNumber: base.number + 1,
        updates: delivered.map(({ id, siteName }) => {
          const { patches, digest } = required(byParticipation.get(id), 'the update of a delivered participation');
          return { siteName, patches, digest };
        }),
      };
    });
  }

  private async writeNext(facts: FoldFacts, signal: AbortSignal): Promise<{ digest: Digest; bytes: number }> {
    const folder = await mkdtemp(join(tmpdir(), 'fold-'));
    try {
      const updates = [];
      for (const { siteName, patches, digest } of facts.updates) {
        updates.push({ siteName, patches, staleness: 0, path: await this.blobs.localPath(digest) });
      }
      const { digest, bytes } = await foldFiles({
        manifest: manifestOf(facts.plan.model),
        basePath: await this.blobs.localPath(facts.baseDigest),
        statePath: null,
        updates,
        recipe: facts.plan.recipe,
        metadata: weightFileMetadata(facts.plan.model, facts.nextNumber),
        sitesOfCampaign: updates.length,
        digest: 'sha256',
        outputPath: join(folder, 'version'),
        stateOutputPath: join(folder, 'state'),
        signal,
      });
      await this.blobs.adopt(join(folder, 'version'), digest);
      return { digest, bytes };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}
