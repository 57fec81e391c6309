import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

/** A site's own key in place of a bearer credential; sites that were enrolled before keep theirs until they trade it. */
export class SiteKeys1795917600000 implements MigrationInterface {
  readonly name = 'SiteKeys1795917600000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, [
      `ALTER TABLE "sites" ADD COLUMN "publicKey" text`,
      `ALTER TABLE "sites" ADD COLUMN "keyThumbprint" text`,
      `ALTER TABLE "sites" ADD COLUMN "credentialExpiresAtMs" bigint`,
      `CREATE UNIQUE INDEX "sites_by_key" ON "sites" ("keyThumbprint")`,
    ]);
  }

  async down(records: QueryRunner): Promise<void> {
    await records.query(`DROP INDEX "sites_by_key"`);
    for (const column of ['publicKey', 'keyThumbprint', 'credentialExpiresAtMs'])
      await records.query(`ALTER TABLE "sites" DROP COLUMN "${column}"`);
  }
}
