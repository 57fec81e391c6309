import { createRequire } from 'node:module';
import type { DataSourceOptions } from 'typeorm';
import { Campaign } from '../campaigns/campaign.entity.js';
import { ModelVersion } from '../models/model-version.entity.js';
import { VersionScore } from '../models/version-score.entity.js';
import { Participation } from '../rounds/participation.entity.js';
import { Round } from '../rounds/round.entity.js';
import { Site } from '../sites/site.entity.js';
import { Update } from '../updates/update.entity.js';
import { UpdateSketch } from '../updates/update-sketch.entity.js';
import { FederationCore1795860000000 } from './migrations/1795860000000-federation-core.js';
import { VersionMonitors1795910400000 } from './migrations/1795910400000-version-monitors.js';
import { FirstTables1763769600000 } from './migrations/1763769600000-first-tables.js';

const require = createRequire(import.meta.url);

interface Pragmas {
  pragma(text: string): unknown;
}

/**
 * SQLite in one file, write-ahead log, synchronous FULL: a fact that was acknowledged survives a power cut.
 * The schema comes from migrations only.
 */
export function dataSourceOptions(databaseFile: string): DataSourceOptions {
  return {
    type: 'better-sqlite3',
    driver: require('libsql') as unknown,
    database: databaseFile,
    enableWAL: true,
    prepareDatabase: (database: Pragmas) => {
      database.pragma('synchronous = FULL');
    },
    entities: [Site, Campaign, Round, Participation, Update, UpdateSketch, ModelVersion, VersionScore],
    migrations: [FirstTables1763769600000, FederationCore1795860000000, VersionMonitors1795910400000],
    migrationsRun: true,
    synchronize: false,
  };
}
