import type { MigrationInterface, QueryRunner } from 'typeorm';
import { runStatements } from './run-statements.js';

/** Operators by name, and the tokens of their sign-ins and programs. */
export class OperatorAccounts1795921200000 implements MigrationInterface {
  readonly name = 'OperatorAccounts1795921200000';

  async up(records: QueryRunner): Promise<void> {
    await runStatements(records, [
      `CREATE TABLE "operator_accounts" (
        "id" text PRIMARY KEY NOT NULL, "name" text NOT NULL UNIQUE, "role" text NOT NULL, "state" text NOT NULL,
        "passwordDigest" text NOT NULL, "createdAtMs" bigint NOT NULL, "lastSignInAtMs" bigint)`,
      `CREATE TABLE "operator_tokens" (
        "id" text PRIMARY KEY NOT NULL, "accountId" text NOT NULL, "label" text NOT NULL, "role" text NOT NULL,
        "digest" text NOT NULL UNIQUE, "createdAtMs" bigint NOT NULL, "expiresAtMs" bigint NOT NULL,
        FOREIGN KEY ("accountId") REFERENCES "operator_accounts" ("id"))`,
      `CREATE INDEX "operator_tokens_account" ON "operator_tokens" ("accountId")`,
    ]);
  }

  async down(records: QueryRunner): Promise<void> {
    await runStatements(records, [`DROP TABLE "operator_tokens"`, `DROP TABLE "operator_accounts"`]);
  }
}
