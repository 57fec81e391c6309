import { manifestOf } from '@consilium/shared/models';
import { type Digest, required } from '@consilium/shared/kernel';
import { SafetensorsFile } from '@consilium/shared/weights';
import type { CampaignEvent, CampaignPlan } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { In } from 'typeorm';
import { aggregate } from '../aggregation/aggregate.js';
import type { BlobStore } from '../blobs/blob-store.js';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { ModelLedger } from '../models/model-ledger.js';
import { weightFileMetadata } from '../models/weight-file-metadata.js';
import { BLOB_STORE } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { Update } from '../updates/update.entity.js';
import { Participation } from './participation.entity.js';
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
      const updates = await records.findBy(Update, { foldRoundId: roundId, state: In(['accepted', 'released']) });
      const byParticipation = new Map(updates.map((update) => [update.participationId, update]));
      const delivered = await records.find(Participation, {
        where: { id: In([...byParticipation.keys()]) },
        order: { siteName: 'ASC', invitedAtMs: 'ASC' },
      });
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
    const open: SafetensorsFile[] = [];
    const openBlob = async (digest: Digest): Promise<SafetensorsFile> => {
      const file = await SafetensorsFile.open(await this.blobs.localPath(digest));
      open.push(file);
      return file;
    };
    try {
      const base = await openBlob(facts.baseDigest);
      const updates = [];
      for (const { siteName, patches, digest } of facts.updates) {
        updates.push({ siteName, patches, delta: await openBlob(digest) });
      }
      const manifest = manifestOf(facts.plan.model);
      const metadata = weightFileMetadata(facts.plan.model, facts.nextNumber);
      return await this.blobs.write(aggregate({ manifest, base, updates, recipe: facts.plan.recipe, metadata, signal }));
    } finally {
      for (const file of open) await file.close();
    }
  }
}
