/** Column kinds that mean the same in SQLite and in PostgreSQL. */
import { Column, PrimaryColumn } from 'typeorm';

const toNumber = {
  to: (value: number | null | undefined): number | null | undefined => value,
  // PostgreSQL's driver hands 64-bit integers over as text.
  from: (value: string | number | null): number | null => (value === null ? null : Number(value)),
};

/** Milliseconds since the epoch, byte counts, patch counts: a whole number below 2^53. */
export function WholeColumn(): PropertyDecorator {
  return Column({ type: 'bigint', transformer: toNumber });
}

/** A {@link WholeColumn} that is part of the key. */
export function WholeKeyColumn(): PropertyDecorator {
  return PrimaryColumn({ type: 'bigint', transformer: toNumber });
}

export function OptionalWholeColumn(): PropertyDecorator {
  return Column({ type: 'bigint', nullable: true, transformer: toNumber });
}

export function TextColumn(): PropertyDecorator {
  return Column({ type: 'text' });
}

export function OptionalTextColumn(): PropertyDecorator {
  return Column({ type: 'text', nullable: true });
}

const toText = {
  to: (value: unknown) => (value === null || value === undefined ? value : JSON.stringify(value)),
  from: (text: string | null): unknown => (text === null ? null : parsedOnce(text)),
};

/** Texts kept parsed: a campaign's plan is read with every message of its sites. */
const PARSED_TEXTS = 64;
const parsed = new Map<string, unknown>();

/** Equal texts give one shared value; entities are never changed in their depth. */
function parsedOnce(text: string): unknown {
  if (parsed.has(text)) return parsed.get(text);
  const value: unknown = JSON.parse(text);
  const [oldest] = parsed.keys();
  if (parsed.size >= PARSED_TEXTS && oldest !== undefined) parsed.delete(oldest);
  parsed.set(text, value);
  return value;
}

/** A JSON value kept as text. Whoever writes it has validated it. */
export function JsonColumn(): PropertyDecorator {
  return Column({ type: 'text', transformer: toText });
}

export function OptionalJsonColumn(): PropertyDecorator {
  return Column({ type: 'text', nullable: true, transformer: toText });
}
