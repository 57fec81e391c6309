import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import { weightsDropped } from '../blobs/weights-dropped.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import { ModelLedger } from './model-ledger.js';
import { ModelVersion } from './model-version.entity.js';

interface Unpinning {
  readonly number: number;
  readonly by: AuditActor;
}

interface Pinning extends Unpinning {
  readonly name: string;
}

/** Names under which versions are kept for good. Methods run inside the caller's transaction. */
@Injectable()
export class VersionPins {
  constructor(
    private readonly models: ModelLedger,
    private readonly audit: AuditLog,
  ) {}

  /** Another name replaces the one before; the same again changes nothing. NOT_FOUND; WEIGHTS_DROPPED when it is too late. */
  async pin(records: EntityManager, campaign: Campaign, { number, name, by }: Pinning): Promise<void> {
    const { id, digest, droppedAtMs, pin } = await this.models.requireVersion(records, campaign, number);
    if (droppedAtMs !== null) throw weightsDropped(`version ${number} of the campaign ${campaign.name}`, digest);
    if (pin === name) return;
    await records.update(ModelVersion, { id }, { pin: name });
    const subject = { campaign: campaign.name, version: number, digest, name };
    await this.audit.append(records, { kind: 'version-pinned', actor: by, subject });
  }

  /** One that has no pin stays as it is. NOT_FOUND. */
  async unpin(records: EntityManager, campaign: Campaign, { number, by }: Unpinning): Promise<void> {
    const { id, digest, pin } = await this.models.requireVersion(records, campaign, number);
    if (pin === null) return;
    await records.update(ModelVersion, { id }, { pin: null });
    const subject = { campaign: campaign.name, version: number, digest, name: pin };
    await this.audit.append(records, { kind: 'version-unpinned', actor: by, subject });
  }
}
