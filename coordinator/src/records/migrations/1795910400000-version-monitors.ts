import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

/** What heads and features said of a version, beside its score. */
export class VersionMonitors1795910400000 implements MigrationInterface {
  readonly name = 'VersionMonitors1795910400000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, [`ALTER TABLE "version_scores" ADD COLUMN "monitors" text`]);
  }

  async down(records: QueryRunner): Promise<void> {
    await records.query(`ALTER TABLE "version_scores" DROP COLUMN "monitors"`);
  }
}
