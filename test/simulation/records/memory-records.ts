import type { MemoryDatabase } from './memory-database.js';
import type { Entity, MemoryTable, Row, Where } from './memory-table.js';

type Order = Readonly<Record<string, 'ASC' | 'DESC'>>;

interface FindOptions {
  readonly where?: Where | readonly Where[];
  readonly order?: Order;
  readonly take?: number;
  /** Columns to read; here there is nothing to spare, and rows come whole. */
  readonly select?: object;
}

const KNOWN_OPTIONS: ReadonlySet<string> = new Set(['where', 'order', 'take', 'select']);

/** The methods of TypeORM's EntityManager that the coordinator uses, on rows in memory; one object per transaction. */
export class MemoryRecords {
  constructor(private readonly database: MemoryDatabase) {}

  async find(entity: Entity, options: FindOptions = {}): Promise<object[]> {
    await this.turn();
    for (const name in options) if (!KNOWN_OPTIONS.has(name)) throw new Error(`the option ${name} is not known here`);
    const { where, order, take } = options;
    const rows = this.database.table(entity).matching(where);
    if (order !== undefined && take === 1 && rows.length > 0) {
      const first = rows.reduce((best, row) => (compare(row, best, order) < 0 ? row : best));
      return [instance(entity, first)];
    }
    if (order !== undefined) rows.sort((a, b) => compare(a, b, order));
    return (take === undefined ? rows : rows.slice(0, take)).map((row) => instance(entity, row));
  }

  async findOne(entity: Entity, options: FindOptions): Promise<object | null> {
    return (await this.find(entity, { ...options, take: 1 }))[0] ?? null;
  }

  async findBy(entity: Entity, where: Where): Promise<object[]> {
    return this.find(entity, { where });
  }

  async findOneBy(entity: Entity, where: Where): Promise<object | null> {
    return this.findOne(entity, { where });
  }

  async findOneByOrFail(entity: Entity, where: Where): Promise<object> {
    const found = await this.findOneBy(entity, where);
    if (found === null) throw new Error(`there is no such ${entity.name}`);
    return found;
  }

  async countBy(entity: Entity, where: Where): Promise<number> {
    await this.turn();
    return this.database.table(entity).matching(where).length;
  }

  async existsBy(entity: Entity, where: Where): Promise<boolean> {
    return (await this.countBy(entity, where)) > 0;
  }

  /** `save(Entity, values)` or `save(entity)`; inserts or changes, and fills in what the values left out. */
  async save(first: Entity | object, second?: object): Promise<object> {
    await this.turn();
    const given = second ?? first;
    for (const values of Array.isArray(given) ? (given as object[]) : [given]) {
      const entity = second === undefined ? (values.constructor as Entity) : (first as Entity);
      this.saveOne(this.database.table(entity), values as Record<string, unknown>);
    }
    return given;
  }

  async insert(entity: Entity, given: object | readonly object[]): Promise<void> {
    await this.turn();
    const table = this.database.table(entity);
    for (const values of Array.isArray(given) ? (given as object[]) : [given]) {
      const row = table.merged(undefined, values as Row);
      this.database.requireFresh(table, row);
      this.database.put(table, table.keyOf(row), row);
    }
  }

  async update(entity: Entity, where: Where, values: object): Promise<{ affected: number }> {
    await this.turn();
    const table = this.database.table(entity);
    const rows = table.matching(where);
    for (const row of rows) this.database.put(table, table.keyOf(row), table.merged(row, values as Row));
    return { affected: rows.length };
  }

  async delete(entity: Entity, where: Where): Promise<{ affected: number }> {
    await this.turn();
    const table = this.database.table(entity);
    const rows = table.matching(where);
    for (const row of rows) this.database.put(table, table.keyOf(row), undefined);
    return { affected: rows.length };
  }

  /** A transaction within a transaction is a savepoint: an error takes back what came since, no more. */
  async transaction<T>(work: (records: MemoryRecords) => Promise<T>): Promise<T> {
    await this.turn();
    const savepoint = this.database.savepoint();
    try {
      return await work(this);
    } catch (error) {
      await this.turn();
      this.database.rollBackTo(savepoint);
      throw error;
    }
  }

  private saveOne(table: MemoryTable, values: Record<string, unknown>): void {
    const key = table.keyOf(values);
    const before = table.row(key);
    const row = table.merged(before, values);
    this.database.put(table, key, row);
    if (before !== undefined) return;
    for (const { name } of table.columns) if (values[name] === undefined) values[name] = row[name];
  }

  /** Never comes for a transaction that has ended, for example because its process died. */
  private turn(): Promise<void> {
    return this.database.isOpenFor(this) ? Promise.resolve() : new Promise(() => undefined);
  }
}

function instance(entity: Entity, row: Row): object {
  return Object.assign(Object.create(entity.prototype as object) as object, row);
}

function compare(a: Row, b: Row, order: Order): number {
  for (const name in order) {
    const difference = compareValues(a[name], b[name]);
    if (difference !== 0) return order[name] === 'ASC' ? difference : -difference;
  }
  return 0;
}

/** Absent values come first, as in SQLite. */
function compareValues(a: unknown, b: unknown): number {
  if (a === b) return 0;
  if (a === null) return -1;
  if (b === null) return 1;
  return (a as number | string) < (b as number | string) ? -1 : 1;
}
