/** Column kinds that mean the same in SQLite and in PostgreSQL. */
import { Column } from 'typeorm';

const toNumber = {
  to: (value: number | null | undefined): number | null | undefined => value,
  // PostgreSQL's driver hands 64-bit integers over as text.
  from: (value: string | number | null): number | null => (value === null ? null : Number(value)),
};

/** Milliseconds since the epoch, byte counts, patch counts: a whole number below 2^53. */
export function WholeColumn(): PropertyDecorator {
  return Column({ type: 'bigint', transformer: toNumber });
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
  from: (text: string | null): unknown => (text === null ? null : JSON.parse(text)),
};

/** A JSON value kept as text. Whoever writes it has validated it. */
export function JsonColumn(): PropertyDecorator {
  return Column({ type: 'text', transformer: toText });
}

export function OptionalJsonColumn(): PropertyDecorator {
  return Column({ type: 'text', nullable: true, transformer: toText });
}
