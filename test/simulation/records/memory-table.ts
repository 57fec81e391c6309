import { type FindOperator, getMetadataArgsStorage, type ObjectLiteral } from 'typeorm';

export type Entity = new () => ObjectLiteral;
export type Row = Readonly<Record<string, unknown>>;
export type Where = Readonly<Record<string, unknown>>;

interface Column {
  readonly name: string;
  readonly isPrimary: boolean;
  readonly isNullable: boolean;
  readonly isJson: boolean;
}

/** Raised where the real database would refuse a row. */
export class RowRefused extends Error {
  /** What the coordinator tells a database's own errors by. */
  readonly driverError = this;
  readonly code = 'SQLITE_CONSTRAINT';
}

/** Columns by which rows are looked up; a look-up by one of them need not see the others. */
const INDEXED = ['foldRoundId', 'roundId', 'siteId', 'campaignId'];

/**
 * The rows of one entity with its primary key and unique keys. Rows are frozen; JSON values are shared between reads and frozen
 * too, where the real records make a fresh copy each time.
 */
export class MemoryTable {
  readonly columns: readonly Column[];
  private readonly primaryKey: readonly string[];
  private readonly rows = new Map<string, Row>();
  private readonly indexes: ReadonlyMap<string, Map<string, Set<string>>>;
  private readonly uniqueValues: readonly Map<string, string>[];

  constructor(
    readonly entity: Entity,
    readonly uniqueKeys: readonly (readonly string[])[],
  ) {
    this.columns = getMetadataArgsStorage()
      .columns.filter(({ target }) => target === entity)
      .map(({ propertyName, options }) => ({
        name: propertyName,
        isPrimary: options.primary === true,
        isNullable: options.nullable === true,
        isJson: options.type === 'text' && options.transformer !== undefined,
      }));
    this.primaryKey = this.columns.flatMap(({ name, isPrimary }) => (isPrimary ? [name] : []));
    this.indexes = new Map(
      INDEXED.filter((name) => this.columns.some((column) => column.name === name)).map((name) => [name, new Map()]),
    );
    this.uniqueValues = uniqueKeys.map(() => new Map());
  }

  get all(): IterableIterator<Row> {
    return this.rows.values();
  }

  row(key: string): Row | undefined {
    return this.rows.get(key);
  }

  keyOf(row: Row): string {
    const [first, ...others] = this.primaryKey;
    return others.reduce((key, name) => `${key}|${String(row[name])}`, String(row[first as string]));
  }

  /** The row that the values make of the one before; undefined values leave a column as it is. */
  merged(before: Row | undefined, values: Row): Row {
    const row: Record<string, unknown> = {};
    for (const { name, isNullable, isJson } of this.columns) {
      const given = values[name];
      const value = given === undefined ? (before?.[name] ?? null) : given;
      if (value === null && !isNullable) throw new RowRefused(`NOT NULL constraint failed: ${this.entity.name}.${name}`);
      row[name] = isJson ? frozenCopy(value) : value;
    }
    return Object.freeze(row);
  }

  /** Puts a row in place of the one with its key, or removes it. Throws {@link RowRefused} when a unique key is taken. */
  put(key: string, row: Row | undefined): void {
    const before = this.rows.get(key);
    this.uniqueKeys.forEach((columns, index) => {
      const taken = this.uniqueValues[index] as Map<string, string>;
      const value = row === undefined ? undefined : uniqueValue(row, columns);
      const owner = value === undefined ? undefined : taken.get(value);
      if (owner !== undefined && owner !== key) {
        throw new RowRefused(`UNIQUE constraint failed: ${this.entity.name}.${columns.join(', ')}`);
      }
    });
    this.uniqueKeys.forEach((columns, index) => {
      const taken = this.uniqueValues[index] as Map<string, string>;
      const old = before === undefined ? undefined : uniqueValue(before, columns);
      if (old !== undefined) taken.delete(old);
      const value = row === undefined ? undefined : uniqueValue(row, columns);
      if (value !== undefined) taken.set(value, key);
    });
    this.index(key, before, row);
    if (row === undefined) this.rows.delete(key);
    else this.rows.set(key, row);
  }

  matching(where: Where | readonly Where[] | undefined): Row[] {
    const alternatives = where === undefined ? [{}] : Array.isArray(where) ? (where as Where[]) : [where as Where];
    const [only] = alternatives;
    if (alternatives.length === 1 && only !== undefined && this.namesOneRow(only)) {
      const row = this.rows.get(this.keyOf(only));
      return row !== undefined && this.testOf(only)(row) ? [row] : [];
    }
    const tests = alternatives.map((one) => this.testOf(one));
    const found: Row[] = [];
    for (const row of this.candidates(alternatives)) if (tests.some((test) => test(row))) found.push(row);
    return found;
  }

  /** The rows of one round or campaign where that is what is asked for, else all. */
  private candidates(alternatives: readonly Where[]): Iterable<Row> {
    const [only] = alternatives;
    if (alternatives.length !== 1 || only === undefined) return this.rows.values();
    for (const [name, keysByValue] of this.indexes) {
      const value = only[name];
      if (typeof value !== 'string') continue;
      return [...(keysByValue.get(value) ?? [])].map((key) => this.rows.get(key) as Row);
    }
    return this.rows.values();
  }

  private index(key: string, before: Row | undefined, after: Row | undefined): void {
    for (const [name, keysByValue] of this.indexes) {
      const [from, to] = [before?.[name], after?.[name]];
      if (from === to) continue;
      if (typeof from === 'string') keysByValue.get(from)?.delete(key);
      if (typeof to !== 'string') continue;
      const keys = keysByValue.get(to) ?? new Set();
      keysByValue.set(to, keys.add(key));
    }
  }

  private namesOneRow(where: Where): boolean {
    return this.primaryKey.every((name) => where[name] !== undefined && typeof where[name] !== 'object');
  }

  private testOf(where: Where): (row: Row) => boolean {
    const tests = Object.entries(where).map(([name, condition]) => {
      if (!this.columns.some((column) => column.name === name)) throw new Error(`${this.entity.name} has no column ${name}`);
      return [name, conditionTest(condition)] as const;
    });
    return (row) => tests.every(([name, test]) => test(row[name]));
  }
}

/** Absent values are unlike each other, as in SQL. */
function uniqueValue(row: Row, columns: readonly string[]): string | undefined {
  return columns.some((name) => row[name] === null) ? undefined : columns.map((name) => String(row[name])).join('|');
}

/** A comparison with an absent value is never true, as in SQL. */
function conditionTest(condition: unknown): (value: unknown) => boolean {
  if (condition === undefined || condition === null) throw new Error('a condition must have a value; use IsNull()');
  if (typeof condition !== 'object') return (value) => value === condition;
  const operator = condition as FindOperator<unknown>;
  if (operator.type === 'isNull') return (value) => value === null;
  if (operator.type === 'not') {
    const { child } = operator;
    if (child?.type === 'isNull') return (value) => value !== null;
    const inner = conditionTest(child ?? operator.value);
    return (value) => value !== null && !inner(value);
  }
  const operand = operator.value as number;
  const compare = COMPARISONS[operator.type];
  if (compare !== undefined) return (value) => value !== null && compare(value as number, operand);
  if (operator.type !== 'in') throw new Error(`the operator ${operator.type} is not known here`);
  const values = new Set(operator.value as unknown[]);
  return (value) => values.has(value);
}

const COMPARISONS: Readonly<Partial<Record<string, (value: number, operand: number) => boolean>>> = {
  lessThan: (value, operand) => value < operand,
  lessThanOrEqual: (value, operand) => value <= operand,
  moreThan: (value, operand) => value > operand,
  moreThanOrEqual: (value, operand) => value >= operand,
};

const frozen = new WeakSet<object>();

/** What a JSON column gives back. */
function frozenCopy(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || frozen.has(value)) return value;
  return deepFrozen(JSON.parse(JSON.stringify(value)));
}

function deepFrozen(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  Object.values(value).forEach(deepFrozen);
  frozen.add(value);
  return Object.freeze(value);
}
