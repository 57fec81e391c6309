import type { DataSource, EntityManager } from 'typeorm';
import { AuditRecord } from '../../../coordinator/src/audit/audit-record.entity.js';
import { Campaign } from '../../../coordinator/src/campaigns/campaign.entity.js';
import { ModelVersion } from '../../../coordinator/src/models/model-version.entity.js';
import { VersionScore } from '../../../coordinator/src/models/version-score.entity.js';
import { DroppedFile } from '../../../coordinator/src/retention/dropped-file.entity.js';
import { Participation } from '../../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../../coordinator/src/rounds/round.entity.js';
import { Site } from '../../../coordinator/src/sites/site.entity.js';
import { Update } from '../../../coordinator/src/updates/update.entity.js';
import { UpdateSketch } from '../../../coordinator/src/updates/update-sketch.entity.js';
import { MemoryRecords } from './memory-records.js';
import { type Entity, MemoryTable, type Row, RowRefused } from './memory-table.js';

/** The entities with the unique keys that the migrations give their tables, the primary keys aside. */
export const UNIQUE_KEYS: ReadonlyMap<Entity, readonly (readonly string[])[]> = new Map<Entity, string[][]>([
  [Site, [['name'], ['credentialDigest'], ['keyThumbprint']]],
  [Campaign, [['name']]],
  [Round, [['campaignId', 'number', 'attempt']]],
  [Participation, [['roundId', 'siteId']]],
  [Update, []],
  [UpdateSketch, []],
  [ModelVersion, [['roundId'], ['campaignId', 'number']]],
  [VersionScore, []],
  [DroppedFile, []],
  [AuditRecord, [['previous'], ['digest']]],
]);

/** A row that a transaction wrote: what was there before it, and what is there now. */
export interface RowChange {
  readonly entity: Entity;
  readonly key: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** When a commit is done; by default at once. It may never come: then the transaction is neither committed nor rolled back. */
export type Committing = (commit: () => void) => Promise<void>;

/**
 * The coordinator's records in memory: one transaction at a time, all or nothing, durable at its commit. Foreign keys are not
 * enforced; the real database does that.
 */
export class MemoryDatabase {
  private readonly tables = new Map([...UNIQUE_KEYS].map(([entity, keys]) => [entity, new MemoryTable(entity, keys)]));
  private readonly commitListeners: ((changes: readonly RowChange[]) => void)[] = [];
  private open: MemoryRecords | undefined;
  private changes: RowChange[] = [];

  table(entity: Entity): MemoryTable {
    const table = this.tables.get(entity);
    if (table === undefined) throw new Error(`there is no table of ${entity.name}`);
    return table;
  }

  /** What is committed, as plain rows. */
  rowsOf<T extends object>(entity: new () => T): T[] {
    const rows = new Map([...this.table(entity).all].map((row) => [this.table(entity).keyOf(row), row]));
    for (const { key, before, entity: changed } of this.changes.toReversed()) {
      if (changed !== entity) continue;
      if (before === undefined) rows.delete(key);
      else rows.set(key, before);
    }
    return [...rows.values()] as T[];
  }

  /** Called with each commit's changes; must not write. */
  onCommit(listener: (changes: readonly RowChange[]) => void): void {
    this.commitListeners.push(listener);
  }

  /** What a UnitOfWork needs of a DataSource. */
  connect(committing: Committing = async (commit) => commit()): DataSource {
    const transaction = (work: (records: EntityManager) => Promise<unknown>) => this.transaction(work, committing);
    return { transaction } as unknown as DataSource;
  }

  /** Takes back what the open transaction wrote. */
  rollBack(): void {
    this.rollBackTo(0);
    this.end();
  }

  savepoint(): number {
    return this.changes.length;
  }

  rollBackTo(savepoint: number): void {
    for (const { entity, key, before } of this.changes.splice(savepoint).reverse()) this.table(entity).put(key, before);
  }

  isOpenFor(records: MemoryRecords): boolean {
    return this.open === records;
  }

  put(table: MemoryTable, key: string, after: Row | undefined): void {
    const before = table.row(key);
    table.put(key, after);
    this.changes.push({ entity: table.entity, key, before, after });
  }

  requireFresh(table: MemoryTable, row: Row): void {
    if (table.row(table.keyOf(row)) !== undefined) throw new RowRefused(`UNIQUE constraint failed: ${table.entity.name}`);
  }

  private async transaction<T>(work: (records: EntityManager) => Promise<T>, committing: Committing): Promise<T> {
    if (this.open !== undefined) throw new Error('transactions must not overlap');
    const records = new MemoryRecords(this);
    this.open = records;
    let result: T;
    try {
      result = await work(records as unknown as EntityManager);
    } catch (error) {
      if (this.isOpenFor(records)) this.rollBack();
      throw error;
    }
    if (this.changes.length === 0) this.end();
    else await committing(() => this.commit());
    return result;
  }

  private commit(): void {
    const changes = this.changes;
    this.end();
    for (const listener of this.commitListeners) listener(changes);
  }

  private end(): void {
    this.open = undefined;
    this.changes = [];
  }
}
