import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

/** Which updates and versions have no bytes any more, which files are still to go, and versions that are kept by name. */
export class Retention1795924800000 implements MigrationInterface {
  readonly name = 'Retention1795924800000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, [
      `ALTER TABLE "updates" ADD COLUMN "droppedAtMs" bigint`,
      `ALTER TABLE "model_versions" ADD COLUMN "droppedAtMs" bigint`,
      `ALTER TABLE "model_versions" ADD COLUMN "pin" text`,
      `CREATE TABLE "dropped_files" ("digest" text PRIMARY KEY NOT NULL, "droppedAtMs" bigint NOT NULL)`,
      `CREATE INDEX "updates_of_digest" ON "updates" ("digest")`,
    ]);
  }

  async down(): Promise<void> {
    throw new Error('without these columns a file that was dropped would be missed; restore a backup instead');
  }
}
