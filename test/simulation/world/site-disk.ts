import type { Digest } from '@consilium/shared/kernel';
import { auditEntrySchema } from '@consilium/shared/wire';
import Database from 'libsql';
import type { SiteFiles } from '../../../site-agent/src/agent/site-files.js';
import { SiteAudit } from '../../../site-agent/src/audit/site-audit.js';
import type { Life } from './life.js';

/** What a site's agent and trainer find again after a crash. */
export class SiteDisk {
  readonly versions = new Map<Digest, Buffer>();
  /** Finished steps of each round's checkpoint. */
  readonly checkpoints = new Map<string, number>();
  readonly updates = new Map<string, Buffer>();
  /** What the trainer left with an update for the rounds to come, until the update is acknowledged. */
  readonly leftStates = new Set<string>();
  /** Participations whose state has become a campaign's, in that order. */
  readonly keptStates: string[] = [];
  /** Lines of the site's audit log. */
  readonly audit: string[] = [];
  readonly journal = new Database(':memory:');
  private spentAtEnd: readonly string[] | undefined;

  /** What the ledger of privacy holds: participation and digest of each update, oldest first. */
  spends(): readonly string[] {
    if (this.spentAtEnd !== undefined) return this.spentAtEnd;
    const hasLedger = this.journal.prepare("SELECT name FROM sqlite_master WHERE name = 'privacy_spend'").all().length > 0;
    if (!hasLedger) return [];
    const rows = this.journal.prepare('SELECT participation_id, update_digest FROM privacy_spend ORDER BY rowid').all();
    return (rows as { participation_id: string; update_digest: string }[]).map(
      ({ participation_id: participationId, update_digest: digest }) => `${participationId} ${digest}`,
    );
  }

  close(): void {
    this.spentAtEnd = this.spends();
    this.journal.close();
  }

  /** The bytes at a path that {@link SimulatedSiteFiles} gave out. */
  versionAt(path: string): Buffer | undefined {
    return this.versions.get(digestAtPath(path));
  }
}

export function digestAtPath(path: string): Digest {
  return path as Digest;
}

/** The agent's disk as one run of the agent sees it. */
export class SimulatedSiteFiles implements SiteFiles {
  readonly home = 'simulated';

  constructor(
    private readonly disk: SiteDisk,
    private readonly life: Life,
  ) {}

  versionPath(version: Digest): string {
    return version;
  }

  hasVersion(version: Digest): boolean {
    return this.disk.versions.has(version);
  }

  async rebuildVersion(): Promise<void> {
    throw new Error('simulated versions are always sent whole');
  }

  async dropVersion(version: Digest): Promise<void> {
    await this.life.write('dropped version', 1, () => this.disk.versions.delete(version));
  }

  async rounds(): Promise<string[]> {
    return [...new Set([...this.disk.checkpoints.keys(), ...this.disk.updates.keys()])];
  }

  async keepCampaignState(participationId: string): Promise<void> {
    await this.life.write('kept state', 1, () => {
      if (this.disk.leftStates.delete(participationId)) this.disk.keptStates.push(participationId);
    });
  }

  async dropRound(participationId: string): Promise<void> {
    await this.life.write('dropped round', 1, () => {
      this.disk.checkpoints.delete(participationId);
      this.disk.updates.delete(participationId);
      this.disk.leftStates.delete(participationId);
    });
  }
}

/** The site's audit log as one run of the agent sees it. */
export function simulatedAudit({ audit }: SiteDisk, life: Life): SiteAudit {
  const entries = audit.map((line) => auditEntrySchema.parse(JSON.parse(line)));
  const append = (line: string): void => life.writeNow('audit', () => void audit.push(line));
  return new SiteAudit({ append, flush: () => life.requireAlive() }, life.clock, entries);
}

/**
 * The journal's database as one run of the agent sees it: the agent may die before or after each transaction is kept, and SQLite takes
 * back what a dead process has not committed.
 */
export function journalDatabase({ journal }: SiteDisk, life: Life): Database.Database {
  life.onDeath(() => {
    if (journal.inTransaction) journal.exec('ROLLBACK');
  });
  const database = {
    exec: (sql: string) => {
      life.requireAlive();
      return sql === 'COMMIT' ? life.writeNow('journal', () => journal.exec(sql)) : journal.exec(sql);
    },
    prepare: (sql: string) => {
      const statement = journal.prepare(sql);
      const asked = <T>(ask: () => T): T => {
        life.requireAlive();
        return ask();
      };
      return {
        get: (...values: unknown[]) => asked(() => statement.get(...values)),
        all: (...values: unknown[]) => asked(() => statement.all(...values)),
        run: (...values: unknown[]) => asked(() => statement.run(...values)),
      };
    },
    close: () => undefined,
  };
  return database as unknown as Database.Database;
}
