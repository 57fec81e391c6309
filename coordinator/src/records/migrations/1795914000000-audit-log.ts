import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

/** Who did what, each entry naming the one before it. The log begins with the upgrade: what was before is in it nowhere. */
export class AuditLog1795914000000 implements MigrationInterface {
  readonly name = 'AuditLog1795914000000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, [
      `CREATE TABLE "audit_entries" (
        "seq" bigint PRIMARY KEY NOT NULL, "atMs" bigint NOT NULL, "kind" text NOT NULL, "actor" text NOT NULL,
        "subject" text NOT NULL, "previous" text NOT NULL UNIQUE, "digest" text NOT NULL UNIQUE)`,
    ]);
  }

  async down(records: QueryRunner): Promise<void> {
    await records.query(`DROP TABLE "audit_entries"`);
  }
}
