import { FederationError, required } from '@consilium/shared/kernel';
import type { UpdateState, UpdateView } from '@consilium/shared/wire';
import { Injectable } from '@nestjs/common';
import { type EntityManager, In } from 'typeorm';
import { CampaignRegister } from '../campaigns/campaign-register.js';
import { Participation } from '../rounds/participation.entity.js';
import { Round } from '../rounds/round.entity.js';
import { Update } from './update.entity.js';

/** A list longer than this is cut: the newest updates are the ones to look at. */
const LONGEST_LIST = 500;

/** Newest rounds of a campaign whose updates are listed. */
const LISTED_ROUNDS = 1000;

export interface UpdateFilter {
  /** Id or name of the campaign. */
  readonly campaign?: string | undefined;
  readonly state?: UpdateState | undefined;
}

/** Delivered updates as operators see them. Methods run inside the caller's transaction. */
@Injectable()
export class UpdateViews {
  constructor(private readonly register: CampaignRegister) {}

  /** Newest first, at most {@link LONGEST_LIST}. NOT_FOUND when there is no such campaign. */
  async list(records: EntityManager, { campaign, state }: UpdateFilter): Promise<UpdateView[]> {
    const updates = await records.find(Update, {
      where: {
        ...(campaign === undefined ? {} : { roundId: In(await this.newestRounds(records, campaign)) }),
        ...(state === undefined ? {} : { state }),
      },
      order: { acceptedAtMs: 'DESC', participationId: 'ASC' },
      take: LONGEST_LIST,
    });
    return this.viewsOf(records, updates);
  }

  /** NOT_FOUND when there is no such update. */
  async view(records: EntityManager, participationId: string): Promise<UpdateView> {
    const [view] = await this.viewsOf(records, await records.findBy(Update, { participationId }));
    if (view !== undefined) return view;
    throw new FederationError('NOT_FOUND', `there is no update ${participationId}`, {
      remedy: 'List the updates with "coordinator update list".',
    });
  }

  private async newestRounds(records: EntityManager, campaign: string): Promise<string[]> {
    const { id: campaignId } = await this.register.get(records, campaign);
    const rounds = await records.find(Round, { where: { campaignId }, order: { number: 'DESC' }, take: LISTED_ROUNDS });
    return rounds.map(({ id }) => id);
  }

  private async viewsOf(records: EntityManager, updates: readonly Update[]): Promise<UpdateView[]> {
    const participations = await records.findBy(Participation, { id: In(updates.map(({ participationId }) => participationId)) });
    const parts = new Map(participations.map((participation) => [participation.id, participation]));
    const roundIds = updates.flatMap(({ roundId, foldRoundId }) => [roundId, foldRoundId]);
    roundIds.push(...participations.map(({ roundId }) => roundId));
    const known = [...new Set(roundIds)].filter((id) => id !== null);
    const rounds = new Map((await records.findBy(Round, { id: In(known) })).map((round) => [round.id, round]));
    const names = new Map<string, string>();
    for (const { campaignId } of rounds.values()) {
      if (!names.has(campaignId)) names.set(campaignId, (await this.register.get(records, campaignId)).name);
    }
    return updates.map((update) => {
      const participation = required(parts.get(update.participationId), 'the participation of an update');
      const own = required(rounds.get(participation.roundId), 'the round of a participation');
      return {
        ...figuresOf(update),
        campaignName: required(names.get(own.campaignId), 'the campaign of a round'),
        siteName: participation.siteName,
        roundNumber: own.number,
        baseVersion: required(rounds.get(update.roundId), 'the round of an update').baseVersion,
        countsInRound:
          update.foldRoundId === null ? null : required(rounds.get(update.foldRoundId), 'the round of a fold').number,
      };
    });
  }
}

type Figures = Omit<UpdateView, 'campaignName' | 'siteName' | 'roundNumber' | 'baseVersion' | 'countsInRound'>;

function figuresOf(update: Update): Figures {
  const { participationId, state, code, reason, digest, bytes, patches, acceptedAtMs, decidedBy, decidedWhy, decidedAtMs } =
    update;
  const decision = { decidedBy, decidedWhy, decidedAtMs };
  const measured = { norm: update.facts?.norm ?? null, encodingError: update.report?.encodingError ?? null };
  const dropped = update.droppedAtMs === null ? {} : { droppedAtMs: update.droppedAtMs };
  return { participationId, state, code, reason, digest, bytes, patches, ...measured, acceptedAtMs, ...decision, ...dropped };
}
