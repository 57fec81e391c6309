import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import type { Round } from '../rounds/round.entity.js';

/** Compares the updates that are about to be folded with each other. */
@Injectable()
export class UpdateScreening {
  async screen(
    _records: EntityManager,
    _campaign: Campaign,
    _round: Round,
  ): Promise<{ quarantined: readonly { participationId: string; code: string }[] }> {
    return { quarantined: [] };
  }
}
