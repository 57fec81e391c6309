import { dirname } from 'node:path';
import Database from 'libsql';
import { z } from 'zod';
import { type Digest, FederationError } from '@consilium/shared/kernel';
import {
  digestField,
  type Monitors,
  monitorsSchema,
  type ProbeScore,
  probeScoreSchema,
  type RoundPlan,
  roundPlanSchema,
  type ScorePlan,
  type ScoreReport,
  scorePlanSchema,
  updateReportSchema,
  type VersionReference,
} from '@consilium/shared/wire';
import { inTransaction } from '../collection/database.js';
import { makePrivateFile, makePrivateFolder } from '../config/private-files.js';
import { PrivacyLedger } from './privacy-ledger.js';

/**
 * How far a participation has come at this site. *failing* and *declining* are still to be told to the coordinator;
 * *closed* needs nothing any more.
 */
export const WORK_PHASES = ['invited', 'accepted', 'trained', 'uploaded', 'failing', 'declining', 'closed'] as const;
export type WorkPhase = (typeof WORK_PHASES)[number];

/** A finished update, ready to be delivered. */
const readyUpdateSchema = z.object({ path: z.string(), digest: digestField, bytes: z.int(), report: updateReportSchema });
export type ReadyUpdate = z.infer<typeof readyUpdateSchema>;

export interface ParticipationRecord {
  readonly participationId: string;
  readonly phase: WorkPhase;
  readonly plan: RoundPlan;
  readonly planDigest: Digest;
  readonly trainerFailures: number;
  readonly update: ReadyUpdate | undefined;
  /** Names the upload at the coordinator from its first byte on. */
  readonly uploadId: string | undefined;
  /** Why it failed or was declined. */
  readonly code: string | undefined;
}

export interface ScoreRecord {
  readonly plan: ScorePlan;
  /** Undefined until it is measured. */
  readonly score: ProbeScore | undefined;
  /** Of a Universal Model, measured with the score. */
  readonly monitors?: Monitors | undefined;
  readonly reported: boolean;
}

/** A model version that was fetched to the models folder. */
export interface FetchedVersion {
  readonly campaignName: string;
  readonly number: number;
  readonly digest: Digest;
  readonly bytes: number;
  readonly fetchedAtMs: number;
}

/** A version that the site keeps under a name of its own. */
export interface PinnedVersion {
  readonly name: string;
  readonly digest: Digest;
  readonly campaignName: string;
  readonly number: number;
}

/** A model file of the site's own, such as a fine-tuned one, under a name: the file stays where it is. */
export interface PinnedFile {
  readonly name: string;
  readonly path: string;
  /** SHA-256 of the file when it was pinned. */
  readonly digest: Digest;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS agent_participation (
    participation_id TEXT PRIMARY KEY,
    phase TEXT NOT NULL,
    plan TEXT NOT NULL,
    plan_digest TEXT NOT NULL,
    trainer_failures INTEGER NOT NULL DEFAULT 0,
    ready_update TEXT,
    upload_id TEXT,
    code TEXT
  );
  CREATE TABLE IF NOT EXISTS agent_score (
    campaign_id TEXT NOT NULL,
    version_digest TEXT NOT NULL,
    plan TEXT NOT NULL,
    score TEXT,
    reported INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (campaign_id, version_digest)
  );
  CREATE TABLE IF NOT EXISTS agent_version (
    campaign_name TEXT NOT NULL,
    number INTEGER NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    fetched_at_ms INTEGER NOT NULL,
    PRIMARY KEY (campaign_name, number, digest)
  );
  CREATE TABLE IF NOT EXISTS agent_pin (
    name TEXT PRIMARY KEY,
    digest TEXT NOT NULL,
    campaign_name TEXT NOT NULL,
    number INTEGER NOT NULL
  );
  CREATE TABLE IF NOT EXISTS agent_pinned_file (
    name TEXT PRIMARY KEY,
    path TEXT NOT NULL,
    digest TEXT NOT NULL
  );
`;

const participationRow = z.object({
  participation_id: z.string(),
  phase: z.enum(WORK_PHASES),
  plan: z.string(),
  plan_digest: digestField,
  trainer_failures: z.int(),
  ready_update: z.string().nullable(),
  upload_id: z.string().nullable(),
  code: z.string().nullable(),
});
type ParticipationRow = z.infer<typeof participationRow>;
interface ReadRow {
  readonly row: ParticipationRow;
  readonly record: ParticipationRecord;
}
/** The column "score": what a version reached, and its monitors where there are any. */
const measuredText = probeScoreSchema.extend({ monitors: monitorsSchema.optional() });
const scoreRow = z.object({ plan: z.string(), score: z.string().nullable(), reported: z.int() });
const versionRow = z.object({
  campaign_name: z.string(),
  number: z.int(),
  digest: digestField,
  bytes: z.int(),
  fetched_at_ms: z.int(),
});

const pinRow = z.object({ name: z.string(), digest: digestField, campaign_name: z.string(), number: z.int() });
const pinnedFileRow = z.object({ name: z.string(), path: z.string(), digest: digestField });

type Changes = Partial<Pick<ParticipationRecord, 'phase' | 'trainerFailures' | 'update' | 'uploadId' | 'code'>>;
/** Closed participations that are kept for the record. */
const KEPT_CLOSED = 50;
const REMEMBERED_ROWS = 8;
/** The question for the participation that is open; no participation has this name. */
const OPEN = '';

/**
 * What the agent knows about its work, in SQLite: every change is with the system before the call returns, so that a killed agent goes
 * on where it was. Another part of the same file is the volume index. What another process changes is seen by a journal that is opened
 * afterwards.
 */
export class AgentJournal {
  private readonly statements = new Map<string, Database.Statement>();
  /** Rows that were read lately, with what they say: the same ones are looked at again and again. */
  private readonly readRows = new Map<string, ReadRow>();

  private readonly answers = new Map<string, ParticipationRecord | undefined>();

  /** What updates have spent of the site's privacy, in the same database. */
  readonly privacy: PrivacyLedger;

  private constructor(private readonly database: Database.Database) {
    this.privacy = new PrivacyLedger(database);
  }

  static open(databaseFile: string): AgentJournal {
    try {
      makePrivateFolder(dirname(databaseFile));
      makePrivateFile(databaseFile);
      const database = new Database(databaseFile, { timeout: 10_000 });
      database.pragma('journal_mode = WAL');
      // Every change survives the end of the process. After a power cut the last ones may be missing, and are made up for: the
      // coordinator names the assignment again, the trainer finds its finished work by digest, an offer may be repeated.
      database.pragma('synchronous = NORMAL');
      return AgentJournal.on(database);
    } catch (cause) {
      throw FederationError.from(cause, 'STORAGE_FAILED');
    }
  }

  /** The journal in a database that the caller has opened and answers for. */
  static on(database: Database.Database): AgentJournal {
    database.exec(SCHEMA);
    return new AgentJournal(database);
  }

  close(): void {
    this.database.close();
  }

  participation(participationId: string): ParticipationRecord | undefined {
    return this.answer(participationId, () =>
      this.statement('SELECT * FROM agent_participation WHERE participation_id = ?').get(participationId),
    );
  }

  /** The participation that is not closed; there is at most one. */
  openParticipation(): ParticipationRecord | undefined {
    return this.answer(OPEN, () =>
      this.statement("SELECT * FROM agent_participation WHERE phase <> 'closed' ORDER BY rowid DESC LIMIT 1").get(),
    );
  }

  /** Notes an invitation; noting it twice changes nothing. */
  invite(participationId: string, plan: RoundPlan, planDigest: Digest): void {
    this.answers.clear();
    this.write(
      `INSERT INTO agent_participation (participation_id, phase, plan, plan_digest) VALUES (?, 'invited', ?, ?)
         ON CONFLICT (participation_id) DO NOTHING`,
      [participationId, JSON.stringify(plan), planDigest],
    );
  }

  /** Changes the named members, all or none of them. An undefined member that is named is cleared. */
  change(participationId: string, changes: Changes): void {
    const columns: Record<keyof Changes, string> = {
      phase: 'phase',
      trainerFailures: 'trainer_failures',
      update: 'ready_update',
      uploadId: 'upload_id',
      code: 'code',
    };
    this.answers.clear();
    const entries = Object.entries(changes) as [keyof Changes, unknown][];
    const values = entries.map(([, value]) => (typeof value === 'object' ? JSON.stringify(value) : (value ?? null)));
    this.write(
      `UPDATE agent_participation SET ${entries.map(([name]) => `${columns[name]} = ?`).join(', ')} WHERE participation_id = ?`,
      [...values, participationId],
    );
  }

  /** Closes it; the newest ones stay for the record, older ones are forgotten. */
  closeParticipation(participationId: string, code?: string): void {
    this.change(participationId, { phase: 'closed', code });
    this.write(
      `DELETE FROM agent_participation WHERE phase = 'closed' AND rowid NOT IN
         (SELECT rowid FROM agent_participation WHERE phase = 'closed' ORDER BY rowid DESC LIMIT ${KEPT_CLOSED})`,
    );
  }

  score(campaignId: string, versionDigest: Digest): ScoreRecord | undefined {
    const row = this.statement('SELECT * FROM agent_score WHERE campaign_id = ? AND version_digest = ?').get(
      campaignId,
      versionDigest,
    );
    if (row === undefined || row === null) return undefined;
    const { plan, score: text, reported } = scoreRow.parse(row);
    const known = { plan: scorePlanSchema.parse(JSON.parse(plan)), reported: reported === 1 };
    if (text === null) return { ...known, score: undefined };
    return { ...known, ...readMeasured(text) };
  }

  noteScore(plan: ScorePlan, { score, monitors }: Pick<ScoreReport, 'score' | 'monitors'>): void {
    this.write('INSERT OR REPLACE INTO agent_score (campaign_id, version_digest, plan, score) VALUES (?, ?, ?, ?)', [
      plan.campaignId,
      plan.version.digest,
      JSON.stringify(plan),
      JSON.stringify({ ...score, monitors }),
    ]);
  }

  noteScoreReported(campaignId: string, versionDigest: Digest): void {
    this.write('UPDATE agent_score SET reported = 1 WHERE campaign_id = ? AND version_digest = ?', [campaignId, versionDigest]);
  }

  noteVersion(campaignName: string, { number, digest, bytes }: VersionReference, nowMs: number): void {
    this.write(
      'INSERT OR REPLACE INTO agent_version (campaign_name, number, digest, bytes, fetched_at_ms) VALUES (?, ?, ?, ?, ?)',
      [campaignName, number, digest, bytes, nowMs],
    );
  }

  forgetVersion(digest: Digest): void {
    this.write('DELETE FROM agent_version WHERE digest = ?', [digest]);
  }

  /** Newest first. */
  versions(): FetchedVersion[] {
    const rows = this.statement('SELECT * FROM agent_version ORDER BY fetched_at_ms DESC, number DESC').all();
    return z
      .array(versionRow)
      .parse(rows)
      .map((row) => ({ ...row, campaignName: row.campaign_name, fetchedAtMs: row.fetched_at_ms }));
  }

  /** What this site's probe said of the version, in whichever campaign; undefined when it was never asked. */
  scoreOfVersion(digest: Digest): ProbeScore | undefined {
    const row = this.statement('SELECT * FROM agent_score WHERE version_digest = ? AND score IS NOT NULL').get(digest);
    const text = row === undefined || row === null ? null : scoreRow.parse(row).score;
    return text === null ? undefined : readMeasured(text).score;
  }

  /** Keeps the version under the name until {@link AgentJournal.unpin}; a name that is taken moves to this version. */
  pin(name: string, { digest, campaignName, number }: FetchedVersion): void {
    this.unpin(name);
    this.write('INSERT INTO agent_pin (name, digest, campaign_name, number) VALUES (?, ?, ?, ?)', [
      name,
      digest,
      campaignName,
      number,
    ]);
  }

  /** The same name for a file of the site's own; nothing but the name is kept. */
  pinFile({ name, path, digest }: PinnedFile): void {
    this.unpin(name);
    this.write('INSERT INTO agent_pinned_file (name, path, digest) VALUES (?, ?, ?)', [name, path, digest]);
  }

  unpin(name: string): void {
    this.write('DELETE FROM agent_pin WHERE name = ?', [name]);
    this.write('DELETE FROM agent_pinned_file WHERE name = ?', [name]);
  }

  /** By name. */
  pins(): PinnedVersion[] {
    const rows = z.array(pinRow).parse(this.statement('SELECT * FROM agent_pin ORDER BY name').all());
    return rows.map(({ campaign_name: campaignName, ...pin }) => ({ ...pin, campaignName }));
  }

  /** By name. */
  pinnedFiles(): PinnedFile[] {
    return z.array(pinnedFileRow).parse(this.statement('SELECT * FROM agent_pinned_file ORDER BY name').all());
  }

  private write(sql: string, values: readonly unknown[] = []): void {
    inTransaction(this.database, () => this.statement(sql).run(...values));
  }

  private statement(sql: string): Database.Statement {
    const known = this.statements.get(sql);
    if (known !== undefined) return known;
    const prepared = this.database.prepare(sql);
    this.statements.set(sql, prepared);
    return prepared;
  }

  /** Nobody else writes these rows while an agent runs: until it changes one, the same question has the same answer. */
  private answer(question: string, ask: () => unknown): ParticipationRecord | undefined {
    if (!this.answers.has(question)) this.answers.set(question, this.recordOf(ask()));
    return this.answers.get(question);
  }

  private recordOf(row: unknown): ParticipationRecord | undefined {
    if (typeof row !== 'object' || row === null) return undefined;
    const known = this.readRows.get('participation_id' in row ? String(row.participation_id) : '');
    if (known !== undefined && isSameRow(known.row, row)) return known.record;
    const read = participationRow.parse(row);
    const record = toParticipation(read, known);
    if (this.readRows.size >= REMEMBERED_ROWS) this.readRows.clear();
    this.readRows.set(record.participationId, { row: read, record });
    return record;
  }
}

function isSameRow(known: ParticipationRow, row: object): boolean {
  return Object.entries(known).every(([name, value]) => (row as Record<string, unknown>)[name] === value);
}

/** Most changes leave plan and update as they are: what was read of the row before is not read again. */
function toParticipation(stored: ParticipationRow, before: ReadRow | undefined): ParticipationRecord {
  const hasSamePlan = before?.row.plan === stored.plan;
  const hasSameUpdate = before?.row.ready_update === stored.ready_update;
  return {
    participationId: stored.participation_id,
    phase: stored.phase,
    plan: hasSamePlan ? before.record.plan : roundPlanSchema.parse(JSON.parse(stored.plan)),
    planDigest: stored.plan_digest,
    trainerFailures: stored.trainer_failures,
    update: hasSameUpdate ? before.record.update : readUpdate(stored.ready_update),
    uploadId: stored.upload_id ?? undefined,
    code: stored.code ?? undefined,
  };
}

function readUpdate(text: string | null): ReadyUpdate | undefined {
  return text === null ? undefined : readyUpdateSchema.parse(JSON.parse(text));
}

function readMeasured(text: string): Pick<ScoreReport, 'score' | 'monitors'> {
  const { monitors, ...score } = measuredText.parse(JSON.parse(text));
  return { score, ...(monitors === undefined ? {} : { monitors }) };
}
