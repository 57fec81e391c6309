import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { Campaign } from '../../coordinator/src/campaigns/campaign.entity.js';
import { ModelVersion } from '../../coordinator/src/models/model-version.entity.js';
import { VersionScore } from '../../coordinator/src/models/version-score.entity.js';
import { dataSourceOptions, MIGRATIONS } from '../../coordinator/src/records/data-source.js';
import { Participation } from '../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../coordinator/src/rounds/round.entity.js';
import { Site } from '../../coordinator/src/sites/site.entity.js';
import { Update } from '../../coordinator/src/updates/update.entity.js';
import { plan } from '../fixtures/made-campaign.js';
import { makeProbeScore, makeUpdateReport } from '../fixtures/make-assignment.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';

const DIGEST = `sha256:${'0'.repeat(64)}`;

/** One finished round of one site, as the tables of the first version hold it. A quote in a name must not matter. */
const ROWS: readonly (readonly [table: string, row: Readonly<Record<string, string | number | null>>])[] = [
  ['sites', { id: 's', name: 'hospital', state: 'enrolled', credentialDigest: 'c', createdAtMs: 1 }],
  [
    'campaigns',
    {
      id: 'c',
      name: "lungs of St. Mary's",
      state: 'finished',
      plan: JSON.stringify({ ...(plan('lungs') as object), screening: undefined, attempts: undefined, digest: undefined }),
      sites: JSON.stringify([{ id: 's', name: 'hospital' }]),
      createdAtMs: 1_700_000_000_000,
    },
  ],
  [
    'rounds',
    { id: 'r', campaignId: 'c', number: 1, attempt: 1, state: 'finished', baseVersion: 1, startedAtMs: 2, deadlineAtMs: 9 },
  ],
  ['participations', { id: 'p', roundId: 'r', siteId: 's', siteName: 'hospital', state: 'delivered', invitedAtMs: 3 }],
  [
    'updates',
    {
      participationId: 'p',
      roundId: 'r',
      digest: DIGEST,
      bytes: 5_000_000_000,
      patches: 10,
      report: JSON.stringify(makeUpdateReport()),
      acceptedAtMs: 4,
    },
  ],
  ['model_versions', { id: 'v1', campaignId: 'c', number: 1, digest: DIGEST, bytes: 7, createdAtMs: 1 }],
  [
    'model_versions',
    { id: 'v2', campaignId: 'c', number: 2, digest: DIGEST, bytes: 7, parentNumber: 1, roundId: 'r', createdAtMs: 5 },
  ],
  [
    'version_scores',
    {
      campaignId: 'c',
      versionNumber: 2,
      siteId: 's',
      siteName: 'hospital',
      score: JSON.stringify(makeProbeScore()),
      reportedAtMs: 6,
    },
  ],
];

/** What later versions of the tables ask for beyond the first one. */
const LATER: Readonly<Record<string, Readonly<Record<string, string>>>> = { updates: { state: 'accepted', foldRoundId: 'r' } };

async function fill(database: DataSource, version: number): Promise<void> {
  for (const [table, first] of ROWS) {
    const row = { ...first, ...(version > 1 ? LATER[table] : {}) };
    const values = Object.values(row).map((value) => (typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : value));
    const columns = Object.keys(row).map((name) => `"${name}"`);
    await database.query(`INSERT INTO "${table}" (${columns.join(', ')}) VALUES (${values.join(', ')})`);
  }
}

describeOnEachDatabase('records of an earlier version', (newDatabase) => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'migrations-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const earlier = MIGRATIONS.slice(0, -1).map((_, index) => index + 1);

  it.each(earlier)('are all there after the upgrade from version %d of the tables', async (version) => {
    const options = dataSourceOptions((await newDatabase()) ?? join(folder, 'records.sqlite'));
    const before = await new DataSource({
      ...options,
      migrations: MIGRATIONS.slice(0, version),
    }).initialize();
    await fill(before, version);
    await before.destroy();

    const after = await new DataSource(options).initialize();
    try {
      const { manager } = after;
      const [campaign] = await manager.find(Campaign);
      expect(campaign).toMatchObject({ name: "lungs of St. Mary's", createdAtMs: 1_700_000_000_000 });
      if (version === 1) {
        expect(campaign?.plan).toMatchObject({ attempts: 1, digest: 'sha256', screening: { normFactor: 5 }, name: 'lungs' });
      }
      expect(await manager.find(Site)).toMatchObject([
        { name: 'hospital', credentialDigest: 'c', protocolVersion: null, keyThumbprint: null },
      ]);
      expect(await manager.find(Round)).toMatchObject([{ number: 1, state: 'finished', deadlineAtMs: 9, finishedAtMs: null }]);
      expect(await manager.find(Participation)).toMatchObject([{ siteName: 'hospital', state: 'delivered' }]);
      expect(await manager.find(Update)).toMatchObject([
        { state: 'accepted', foldRoundId: 'r', bytes: 5_000_000_000, report: makeUpdateReport(), droppedAtMs: null },
      ]);
      expect(await manager.find(ModelVersion, { order: { number: 'ASC' } })).toMatchObject([
        { number: 1, parentNumber: null, deltaDigest: null, droppedAtMs: null, pin: null },
        { number: 2, parentNumber: 1, roundId: 'r' },
      ]);
      expect(await manager.find(VersionScore)).toMatchObject([{ versionNumber: 2, score: makeProbeScore(), monitors: null }]);
      // The promises still hold: no second version for a round.
      const twice = { id: 'v3', campaignId: 'c', number: 3, digest: DIGEST, bytes: 7, roundId: 'r', createdAtMs: 6 };
      await expect(manager.insert(ModelVersion, twice as never)).rejects.toThrow(/unique/i);
    } finally {
      await after.destroy();
    }
  });
});
