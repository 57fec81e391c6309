import type Libsql from 'libsql';
import type { SqliteDatabase } from './database.js';

/** Prepares each statement once: SQLite takes longer to read one than to carry it out. */
export class PreparedStatements {
  private readonly known = new Map<string, Libsql.Statement>();

  constructor(private readonly database: SqliteDatabase) {}

  prepare(sql: string): Libsql.Statement {
    const known = this.known.get(sql) ?? this.database.prepare(sql);
    this.known.set(sql, known);
    return known;
  }
}
