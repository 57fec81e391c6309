import { type Clock, type Digest, required } from '@consilium/shared/kernel';
import {
  partOfRound,
  RETAINED_KINDS,
  type RetainedAmount,
  type RetainedKind,
  UPDATE_STATES,
  type UpdateState,
} from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, In, IsNull } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import type { Campaign } from '../campaigns/campaign.entity.js';
import type { RetentionRules } from '../config/retention-settings.js';
import { ModelLedger } from '../models/model-ledger.js';
import { ModelVersion } from '../models/model-version.entity.js';
import { CLOCK } from '../ports.js';
import { RoundLedger } from '../rounds/round-ledger.js';
import { Update } from '../updates/update.entity.js';
import { decideRetention, kindOfUpdate, type RetainedRound, type RetentionDecision } from './decide-retention.js';
import { DroppedFile } from './dropped-file.entity.js';

/** What is looked at of an update; its report may be long. */
const UPDATE_COLUMNS = {
  ...{ participationId: true, state: true, roundId: true, foldRoundId: true, acceptedAtMs: true, decidedAtMs: true },
  ...{ digest: true, bytes: true, droppedAtMs: true },
} as const;
type UpdateRow = Pick<Update, keyof typeof UPDATE_COLUMNS>;

/** A campaign's updates and versions, with what the rules say of those whose bytes are there. */
interface Examined {
  readonly rounds: readonly RetainedRound[];
  readonly updates: readonly UpdateRow[];
  readonly versions: readonly ModelVersion[];
  readonly decision: RetentionDecision;
}

/** One kind of a campaign's weights: what is there, what of it would go, what is gone. */
export type Shelf = Record<'held' | 'going' | 'dropped', RetainedAmount> & { readonly kind: RetainedKind };

export type DroppedAmount = RetainedAmount & { readonly kind: RetainedKind };

/** Reads what the rules of retention are about, and writes what they drop. Methods run inside the caller's transaction. */
@Injectable()
export class RetentionLedger {
  constructor(
    private readonly rounds: RoundLedger,
    private readonly models: ModelLedger,
    private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /** Of each kind, in fixed order. */
  async shelvesOf(records: EntityManager, campaign: Campaign, rules: RetentionRules): Promise<Shelf[]> {
    const { updates, versions, decision } = await this.examine(records, campaign, rules, 'all');
    const going = goingOf(decision);
    const items = [
      ...updates.map(({ participationId, state, bytes, droppedAtMs }) => {
        return { kind: kindOfUpdate(state), bytes, droppedAtMs, isGoing: going.parts.has(participationId) };
      }),
      ...versions.map((version) => {
        const { number, droppedAtMs } = version;
        return { kind: 'versions' as const, bytes: bytesOf(version), droppedAtMs, isGoing: going.versions.has(number) };
      }),
    ];
    return RETAINED_KINDS.map((kind) => {
      const own = items.filter((item) => item.kind === kind);
      const held = own.filter(({ droppedAtMs }) => droppedAtMs === null);
      const dropped = own.filter(({ droppedAtMs }) => droppedAtMs !== null);
      return { kind, held: amountOf(held), going: amountOf(held.filter(({ isGoing }) => isGoing)), dropped: amountOf(dropped) };
    });
  }

  /**
   * Writes that bytes go, of so many updates and versions at most: the rows, an entry of the audit log for each, and the files to be
   * removed. Nothing is removed here. Returns what was dropped by kind; nothing when the rules let nothing more go.
   */
  async drop(
    records: EntityManager,
    campaign: Campaign,
    { rules, actor, most }: { readonly rules: RetentionRules; readonly actor: AuditActor; readonly most: number },
  ): Promise<DroppedAmount[]> {
    const examined = await this.examine(records, campaign, rules, 'held');
    const updates = examined.decision.updates.slice(0, most);
    const versions = examined.decision.versions.slice(0, most - updates.length);
    const dropped: DroppedAmount[] = [];
    const parts = await this.rounds.participationsById(
      records,
      updates.map(({ participationId }) => participationId),
    );
    const partOf = new Map(parts.map((part) => [part.id, part]));
    const roundOf = new Map(examined.rounds.map((round) => [round.id, round]));
    const updateOf = new Map(examined.updates.map((update) => [update.participationId, update]));
    for (const { participationId, kind } of updates) {
      const { digest, bytes } = required(updateOf.get(participationId), 'an update that goes');
      const { siteName, roundId } = required(partOf.get(participationId), 'the participation of an update');
      const round = required(roundOf.get(roundId), 'the round of a participation').number;
      await records.update(Update, { participationId }, { droppedAtMs: this.clock.nowMs() });
      const rule = kind === 'updates' ? `retainUpdates ${rules.written.updates}` : `retainHeldBack ${rules.written.heldBack}`;
      const subject = { campaign: campaign.name, round, site: siteName, digest, bytes, rule };
      await this.audit.append(records, { kind: 'update-dropped', actor, subject });
      await this.noteFiles(records, [digest]);
      dropped.push({ kind, count: 1, bytes });
    }
    for (const version of examined.versions.filter(({ number }) => versions.includes(number))) {
      const { id, number, digest, stateDigest, deltaDigest } = version;
      await records.update(ModelVersion, { id }, { droppedAtMs: this.clock.nowMs() });
      const rule = `retainVersions ${rules.written.versions}`;
      const subject = { campaign: campaign.name, version: number, digest, bytes: bytesOf(version), rule };
      await this.audit.append(records, { kind: 'version-dropped', actor, subject });
      await this.noteFiles(records, [digest, stateDigest, deltaDigest]);
      dropped.push({ kind: 'versions', count: 1, bytes: bytesOf(version) });
    }
    return dropped;
  }

  /** What the records say is there, over all campaigns. */
  async heldBytes(records: EntityManager): Promise<Record<RetainedKind, number>> {
    const isThere = { droppedAtMs: IsNull() };
    const ofUpdates = async (states: readonly UpdateState[]): Promise<number> =>
      (await records.sum(Update, 'bytes', { ...isThere, state: In([...states]) })) ?? 0;
    const all = 'SUM(version.bytes + COALESCE(version.stateBytes, 0) + COALESCE(version.deltaBytes, 0))';
    const summed = await records
      .createQueryBuilder(ModelVersion, 'version')
      .select(all, 'bytes')
      .where('version.droppedAtMs IS NULL')
      .getRawOne<{ bytes: string | number | null }>();
    const isHeldBack = (state: UpdateState): boolean => kindOfUpdate(state) === 'held-back';
    return {
      updates: await ofUpdates(UPDATE_STATES.filter((state) => !isHeldBack(state))),
      'held-back': await ofUpdates(UPDATE_STATES.filter(isHeldBack)),
      versions: Number(summed?.bytes ?? 0),
    };
  }

  /** Files that were dropped and are still to be removed, at most so many. */
  async filesToRemove(records: EntityManager, most: number): Promise<Digest[]> {
    const files = await records.find(DroppedFile, { order: { droppedAtMs: 'ASC', digest: 'ASC' }, take: most });
    return files.map(({ digest }) => digest);
  }

  async countFilesToRemove(records: EntityManager): Promise<number> {
    return records.countBy(DroppedFile, {});
  }

  /** Whether a row whose bytes are to be there names the file. */
  async isNeeded(records: EntityManager, digest: Digest): Promise<boolean> {
    if (await records.existsBy(Update, { digest, droppedAtMs: IsNull() })) return true;
    return (await this.models.versionsWithFile(records, digest)).some(({ droppedAtMs }) => droppedAtMs === null);
  }

  /** It is removed, or needed again. */
  async forgetFile(records: EntityManager, digest: Digest): Promise<void> {
    await records.delete(DroppedFile, { digest });
  }

  private async examine(
    records: EntityManager,
    campaign: Campaign,
    rules: RetentionRules,
    which: 'held' | 'all',
  ): Promise<Examined> {
    const { id: campaignId, state, finishedAtMs, plan } = campaign;
    const rounds = (await this.rounds.roundsOf(records, campaignId)).map((round) => {
      return { ...round, part: partOfRound(plan.objective, round.number) };
    });
    const atWork = await this.rounds.carriedOver(records, campaignId);
    const all = await this.models.versionsOf(records, campaignId);
    const updates: UpdateRow[] = await records.find(Update, {
      where: { roundId: In(rounds.map(({ id }) => id)), ...(which === 'held' ? { droppedAtMs: IsNull() } : {}) },
      order: { acceptedAtMs: 'ASC', participationId: 'ASC' },
      select: UPDATE_COLUMNS,
    });
    const isHeld = ({ droppedAtMs }: { readonly droppedAtMs: number | null }): boolean => droppedAtMs === null;
    const facts = {
      ...{ state, finishedAtMs, rounds },
      roundsAtWork: new Set(atWork.map(({ roundId }) => roundId)),
      updates: updates.filter(isHeld),
      versions: all.filter(isHeld),
      newestVersion: required(all.at(-1), 'the newest version of a campaign').number,
    };
    const decision = decideRetention(facts, rules, this.clock.nowMs());
    return { rounds, updates, versions: which === 'held' ? facts.versions : all, decision };
  }

  private async noteFiles(records: EntityManager, digests: readonly (Digest | null)[]): Promise<void> {
    for (const digest of digests)
      if (digest !== null) await records.save(DroppedFile, { digest, droppedAtMs: this.clock.nowMs() });
  }
}

/** Of all its files. */
export function bytesOf({ bytes, stateBytes, deltaBytes }: ModelVersion): number {
  return bytes + (stateBytes ?? 0) + (deltaBytes ?? 0);
}

export function amountOf(items: readonly { readonly bytes: number }[]): RetainedAmount {
  return { count: items.length, bytes: items.reduce((sum, { bytes }) => sum + bytes, 0) };
}

function goingOf({ updates, versions }: RetentionDecision): { parts: ReadonlySet<string>; versions: ReadonlySet<number> } {
  return { parts: new Set(updates.map(({ participationId }) => participationId)), versions: new Set(versions) };
}
