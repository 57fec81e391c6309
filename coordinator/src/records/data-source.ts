import { createRequire } from 'node:module';
import type { DataSourceOptions } from 'typeorm';
import { OperatorAccount } from '../access/operator-account.entity.js';
import { OperatorToken } from '../access/operator-token.entity.js';
import { AuditRecord } from '../audit/audit-record.entity.js';
import { Campaign } from '../campaigns/campaign.entity.js';
import { ModelVersion } from '../models/model-version.entity.js';
import { VersionScore } from '../models/version-score.entity.js';
import { DroppedFile } from '../retention/dropped-file.entity.js';
import { Participation } from '../rounds/participation.entity.js';
import { Round } from '../rounds/round.entity.js';
import { Site } from '../sites/site.entity.js';
import { Update } from '../updates/update.entity.js';
import { UpdateSketch } from '../updates/update-sketch.entity.js';
import { FederationCore1795860000000 } from './migrations/1795860000000-federation-core.js';
import { VersionMonitors1795910400000 } from './migrations/1795910400000-version-monitors.js';
import { FirstTables1763769600000 } from './migrations/1763769600000-first-tables.js';
import { AuditLog1795914000000 } from './migrations/1795914000000-audit-log.js';
import { SiteKeys1795917600000 } from './migrations/1795917600000-site-keys.js';
import { OperatorAccounts1795921200000 } from './migrations/1795921200000-operator-accounts.js';
import { Retention1795924800000 } from './migrations/1795924800000-retention.js';
import { isPostgresUrl, postgresOptions } from './postgres.js';

const Sqlite = createRequire(import.meta.url)('libsql') as new (...settings: unknown[]) => SqliteFile;

/** How long a transaction waits for another program that writes to the records. Everything waits with it: it is short. */
const LOCK_PATIENCE_MS = 1000;

/** What TypeORM's driver and we call of an open SQLite file. */
interface SqliteFile {
  pragma(text: string): unknown;
  prepare(sql: string): unknown;
}

/** From the first to the newest: their order is the history of the schema. */
export const MIGRATIONS = [
  FirstTables1763769600000,
  FederationCore1795860000000,
  VersionMonitors1795910400000,
  AuditLog1795914000000,
  SiteKeys1795917600000,
  OperatorAccounts1795921200000,
  Retention1795924800000,
] as const;

/** All tables, in an order in which rows name only rows before them: so a backup writes them, and a restore reads them. */
export const ENTITIES = [
  Site,
  Campaign,
  Round,
  Participation,
  Update,
  UpdateSketch,
  ModelVersion,
  VersionScore,
  DroppedFile,
  AuditRecord,
  OperatorAccount,
  OperatorToken,
] as const;

/** The schema comes from migrations only, which run at the start. */
const SCHEMA = {
  entities: [...ENTITIES],
  migrations: [...MIGRATIONS],
  migrationsRun: true,
  synchronize: false,
};

/** Records in a SQLite file, or in a PostgreSQL database where the place is its URL. What was committed survives a power cut. */
export function dataSourceOptions(place: string): DataSourceOptions {
  return isPostgresUrl(place) ? { ...SCHEMA, ...postgresOptions(place) } : { ...SCHEMA, ...sqliteOptions(place) };
}

/** For a look beside a coordinator that may be running: nothing is brought up to date, and its lock stays its own. */
export function visitorOptions(place: string): DataSourceOptions {
  const schema = { ...SCHEMA, migrationsRun: false };
  if (isPostgresUrl(place)) return { ...schema, ...postgresOptions(place, { takesLock: false }) };
  return { ...schema, ...sqliteOptions(place), driver: Sqlite as unknown };
}

/**
 * Every transaction asks for the right to write as it begins. One that reads first and asks later is refused at once while another
 * program writes, and libsql leaves the refused statement half-way: no transaction would end well until it is used again.
 */
class ImmediateSqlite extends Sqlite {
  override prepare(sql: string): unknown {
    return super.prepare(sql === 'BEGIN TRANSACTION' ? 'BEGIN IMMEDIATE TRANSACTION' : sql);
  }
}

/** One file, write-ahead log, synchronous FULL. */
function sqliteOptions(databaseFile: string) {
  return {
    type: 'better-sqlite3' as const,
    driver: ImmediateSqlite as unknown,
    timeout: LOCK_PATIENCE_MS,
    database: databaseFile,
    enableWAL: true,
    prepareDatabase: (database: SqliteFile) => {
      database.pragma('synchronous = FULL');
    },
  };
}
