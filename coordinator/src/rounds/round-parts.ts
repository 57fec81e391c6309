import { isBuffered } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import type { Campaign } from '../campaigns/campaign.entity.js';
import type { Update } from '../updates/update.entity.js';
import { UpdateLedger } from '../updates/update-ledger.js';
import type { ParticipationFacts } from './decide-round.js';
import type { Participation } from './participation.entity.js';
import type { Round } from './round.entity.js';
import { RoundLedger } from './round-ledger.js';

/** Everything that may count in a round. */
export interface Parts {
  /** The round's own, those carried over from earlier rounds, and those whose late update counts here; in site-name order. */
  readonly participations: readonly Participation[];
  readonly facts: readonly ParticipationFacts[];
  /** The updates that count here. */
  readonly updates: readonly Update[];
}

/** Reads which participations and updates belong to a round. Methods run inside the caller's transaction. */
@Injectable()
export class RoundParts {
  constructor(
    private readonly ledger: RoundLedger,
    private readonly updates: UpdateLedger,
  ) {}

  async of(records: EntityManager, campaign: Campaign, round: Round): Promise<Parts> {
    const updates = await this.updates.countedIn(records, round.id);
    const own = await this.ledger.participationsOf(records, [round.id]);
    const carried = isBuffered(campaign.plan.recipe) ? await this.ledger.carriedOver(records, campaign.id, round.id) : [];
    const known = new Set([...own, ...carried].map(({ id }) => id));
    const lateIds = updates.map(({ participationId }) => participationId).filter((id) => !known.has(id));
    const late = lateIds.length === 0 ? [] : await this.ledger.participationsById(records, lateIds);
    const participations = [...own, ...carried, ...late].sort(bySiteThenInvitation);
    const updateOf = new Map(updates.map((update) => [update.participationId, update]));
    const facts = participations.map(({ id, siteName, state }) => {
      const update = updateOf.get(id);
      return { siteName, state, countsSinceMs: update === undefined ? null : (update.decidedAtMs ?? update.acceptedAtMs) };
    });
    return { participations, facts, updates };
  }
}

function bySiteThenInvitation(a: Participation, b: Participation): number {
  if (a.siteName !== b.siteName) return a.siteName < b.siteName ? -1 : 1;
  return a.invitedAtMs - b.invitedAtMs;
}
