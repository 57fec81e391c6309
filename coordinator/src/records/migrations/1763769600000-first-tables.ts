import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

const TABLES = [
  `CREATE TABLE "sites" (
    "id" text PRIMARY KEY NOT NULL, "name" text NOT NULL UNIQUE, "state" text NOT NULL,
    "tokenDigest" text, "tokenExpiresAtMs" bigint, "credentialDigest" text UNIQUE, "agentVersion" text,
    "createdAtMs" bigint NOT NULL, "enrolledAtMs" bigint, "lastSeenAtMs" bigint)`,
  `CREATE TABLE "campaigns" (
    "id" text PRIMARY KEY NOT NULL, "name" text NOT NULL UNIQUE, "state" text NOT NULL, "code" text,
    "plan" text NOT NULL, "sites" text NOT NULL, "createdAtMs" bigint NOT NULL, "scoringSinceMs" bigint, "finishedAtMs" bigint)`,
  `CREATE TABLE "rounds" (
    "id" text PRIMARY KEY NOT NULL, "campaignId" text NOT NULL REFERENCES "campaigns" ("id"), "number" bigint NOT NULL,
    "attempt" bigint NOT NULL, "state" text NOT NULL, "code" text, "baseVersion" bigint NOT NULL,
    "startedAtMs" bigint NOT NULL, "deadlineAtMs" bigint NOT NULL, "finishedAtMs" bigint,
    UNIQUE ("campaignId", "number", "attempt"))`,
  `CREATE TABLE "participations" (
    "id" text PRIMARY KEY NOT NULL, "roundId" text NOT NULL REFERENCES "rounds" ("id"),
    "siteId" text NOT NULL REFERENCES "sites" ("id"), "siteName" text NOT NULL, "state" text NOT NULL, "code" text,
    "invitedAtMs" bigint NOT NULL, "deliveredAtMs" bigint, UNIQUE ("roundId", "siteId"))`,
  `CREATE INDEX "participations_of_site" ON "participations" ("siteId", "state")`,
  `CREATE TABLE "updates" (
    "participationId" text PRIMARY KEY NOT NULL REFERENCES "participations" ("id"),
    "roundId" text NOT NULL REFERENCES "rounds" ("id"), "digest" text NOT NULL, "bytes" bigint NOT NULL,
    "patches" bigint NOT NULL, "report" text NOT NULL, "acceptedAtMs" bigint NOT NULL)`,
  `CREATE INDEX "updates_of_round" ON "updates" ("roundId")`,
  `CREATE TABLE "model_versions" (
    "id" text PRIMARY KEY NOT NULL, "campaignId" text NOT NULL REFERENCES "campaigns" ("id"), "number" bigint NOT NULL,
    "digest" text NOT NULL, "bytes" bigint NOT NULL, "parentNumber" bigint, "roundId" text UNIQUE REFERENCES "rounds" ("id"),
    "createdAtMs" bigint NOT NULL, UNIQUE ("campaignId", "number"))`,
  `CREATE TABLE "version_scores" (
    "campaignId" text NOT NULL REFERENCES "campaigns" ("id"), "versionNumber" bigint NOT NULL,
    "siteId" text NOT NULL REFERENCES "sites" ("id"), "siteName" text NOT NULL, "score" text NOT NULL,
    "reportedAtMs" bigint NOT NULL, PRIMARY KEY ("campaignId", "versionNumber", "siteId"))`,
];

const NAMES = ['version_scores', 'model_versions', 'updates', 'participations', 'rounds', 'campaigns', 'sites'];

/** The unique keys are promises: one update per participation, one version per round and per number, one site per name. */
export class FirstTables1763769600000 implements MigrationInterface {
  readonly name = 'FirstTables1763769600000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, TABLES);
  }

  async down(records: QueryRunner): Promise<void> {
    for (const name of NAMES) await records.query(`DROP TABLE "${name}"`);
  }
}
