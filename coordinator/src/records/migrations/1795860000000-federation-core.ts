import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

const ADDED = [
  `ALTER TABLE "sites" ADD COLUMN "protocolVersion" bigint`,
  `ALTER TABLE "sites" ADD COLUMN "restUntilMs" bigint`,
  `ALTER TABLE "model_versions" ADD COLUMN "stateDigest" text`,
  `ALTER TABLE "model_versions" ADD COLUMN "stateBytes" bigint`,
  `ALTER TABLE "model_versions" ADD COLUMN "deltaDigest" text`,
  `ALTER TABLE "model_versions" ADD COLUMN "deltaBytes" bigint`,
];

/** SQLite cannot lift NOT NULL from a column, so the table is made anew; every update so far was accepted for its own round. */
const UPDATES = [
  `ALTER TABLE "updates" RENAME TO "updates_before"`,
  `DROP INDEX "updates_of_round"`,
  `CREATE TABLE "updates" (
    "participationId" text PRIMARY KEY NOT NULL REFERENCES "participations" ("id"),
    "roundId" text NOT NULL REFERENCES "rounds" ("id"), "foldRoundId" text REFERENCES "rounds" ("id"),
    "state" text NOT NULL, "code" text, "reason" text, "digest" text NOT NULL, "bytes" bigint NOT NULL, "patches" bigint NOT NULL,
    "report" text, "facts" text, "acceptedAtMs" bigint NOT NULL, "decidedBy" text,
    "decidedWhy" text, "decidedAtMs" bigint)`,
  `INSERT INTO "updates" ("participationId", "roundId", "foldRoundId", "state", "digest", "bytes", "patches", "report", "acceptedAtMs")
    SELECT "participationId", "roundId", "roundId", 'accepted', "digest", "bytes", "patches", "report", "acceptedAtMs"
    FROM "updates_before"`,
  `DROP TABLE "updates_before"`,
  `CREATE TABLE "update_sketches" (
    "participationId" text PRIMARY KEY NOT NULL REFERENCES "participations" ("id"), "sketch" text NOT NULL)`,
  `CREATE INDEX "updates_of_round" ON "updates" ("roundId")`,
  `CREATE INDEX "updates_of_fold" ON "updates" ("foldRoundId")`,
];

/** Plans are kept as they were checked: those of earlier campaigns get what a campaign file of today would have by default. */
async function completePlans(records: QueryRunner): Promise<void> {
  const campaigns = (await records.query(`SELECT "id", "plan" FROM "campaigns"`)) as { id: string; plan: string }[];
  for (const { id, plan } of campaigns) {
    const completed: unknown = {
      screening: { normFactor: 5, minimumCosine: -0.5 },
      attempts: 1,
      digest: 'sha256',
      ...(JSON.parse(plan) as object),
    };
    // Identifiers are made by us and hold letters, digits and "_" only; "'" is doubled in the text.
    await records.query(
      `UPDATE "campaigns" SET "plan" = '${JSON.stringify(completed).replaceAll("'", "''")}' WHERE "id" = '${id}'`,
    );
  }
}

/** Held-back updates, late work, the state of adaptive recipes, and what sites say of themselves. */
export class FederationCore1795860000000 implements MigrationInterface {
  readonly name = 'FederationCore1795860000000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, [...ADDED, ...UPDATES]);
    await completePlans(records);
  }

  async down(): Promise<void> {
    throw new Error('updates that were held back have no place in the earlier tables; restore a backup instead');
  }
}
