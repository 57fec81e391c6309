import type { QueryRunner } from 'typeorm';

/**
 * Runs statements that are written for SQLite and PostgreSQL alike. Text is compared byte by byte in both: PostgreSQL would otherwise
 * order names by the language of its database, and sites are folded in the order of their names.
 */
export async function runStatements(records: QueryRunner, statements: readonly string[]): Promise<void> {
  const isPostgres = records.connection.options.type === 'postgres';
  for (const statement of statements) {
    await records.query(isPostgres ? statement.replace(/("\w+" text)\b/g, '$1 COLLATE "C"') : statement);
  }
}
