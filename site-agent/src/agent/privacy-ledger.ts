import type Database from 'libsql';
import { z } from 'zod';
import { type Digest, required } from '@consilium/shared/kernel';
import type { PrivacySpend } from '@consilium/shared/safeguards';
import { digestField, privacyPlanSchema, type RoundPlan } from '@consilium/shared/wire';
import { inTransaction } from '../collection/database.js';

/** One update that may have left the site under a plan with privacy. */
export interface PrivacyRecord extends PrivacySpend {
  readonly participationId: string;
  readonly updateDigest: Digest;
  readonly campaignId: string;
  readonly campaignName: string;
  readonly roundNumber: number;
  readonly clipNorm: number;
  /** That of the plan: for which the coordinator states ε. */
  readonly delta: number;
  readonly atMs: number;
}

/** Rows are only ever added: the database itself refuses everything else. */
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS privacy_spend (
    participation_id TEXT NOT NULL,
    update_digest TEXT NOT NULL,
    campaign_id TEXT NOT NULL,
    campaign_name TEXT NOT NULL,
    round_number INTEGER NOT NULL,
    form TEXT NOT NULL,
    clip_norm REAL NOT NULL,
    noise_multiplier REAL NOT NULL,
    delta REAL NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (participation_id, update_digest)
  );
  CREATE TRIGGER IF NOT EXISTS privacy_spend_is_kept BEFORE DELETE ON privacy_spend
    BEGIN SELECT RAISE(ABORT, 'what was spent is never forgotten'); END;
  CREATE TRIGGER IF NOT EXISTS privacy_spend_stands BEFORE UPDATE ON privacy_spend
    BEGIN SELECT RAISE(ABORT, 'what was spent never changes'); END;
`;

const row = z.object({
  participation_id: z.string(),
  update_digest: digestField,
  campaign_id: z.string(),
  campaign_name: z.string(),
  round_number: z.int(),
  form: privacyPlanSchema.shape.form,
  clip_norm: z.number(),
  noise_multiplier: z.number(),
  delta: z.number(),
  at_ms: z.int(),
});

/**
 * What the site's updates have spent of its privacy, in the database of the agent's journal. An update is noted before its first byte
 * leaves. One that is made again after a crash is the same bytes, and counts once; bytes that differ are another release, and count
 * once more.
 */
export class PrivacyLedger {
  constructor(private readonly database: Pick<Database.Database, 'exec' | 'prepare'>) {
    database.exec(SCHEMA);
  }

  /** Notes the update, on the disk itself when the call returns; noting it twice changes nothing. */
  spend(participationId: string, plan: RoundPlan, updateDigest: Digest, atMs: number): void {
    const { form, clipNorm, noiseMultiplier, delta } = required(plan.privacy, 'the privacy of the plan');
    const { campaignId, campaignName, roundNumber } = plan;
    // The journal's other rows are made up for after a power cut. This one could not be: the update may have left.
    this.database.exec('PRAGMA synchronous = FULL');
    try {
      const statement = this.database.prepare(
        `INSERT INTO privacy_spend (participation_id, update_digest, campaign_id, campaign_name, round_number, form, clip_norm,
           noise_multiplier, delta, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      );
      inTransaction(this.database, () =>
        statement.run(
          ...[participationId, updateDigest, campaignId, campaignName, roundNumber],
          ...[form, clipNorm, noiseMultiplier, delta, Math.round(atMs)],
        ),
      );
    } finally {
      this.database.exec('PRAGMA synchronous = NORMAL');
    }
  }

  /** All of them, oldest first. */
  records(): PrivacyRecord[] {
    const rows = z.array(row).parse(this.database.prepare('SELECT * FROM privacy_spend ORDER BY rowid').all());
    return rows.map((stored) => ({
      participationId: stored.participation_id,
      updateDigest: stored.update_digest,
      campaignId: stored.campaign_id,
      campaignName: stored.campaign_name,
      roundNumber: stored.round_number,
      form: stored.form,
      clipNorm: stored.clip_norm,
      noiseMultiplier: stored.noise_multiplier,
      delta: stored.delta,
      atMs: stored.at_ms,
    }));
  }
}
