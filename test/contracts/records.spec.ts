import { DataSource, type EntityManager, In, IsNull, LessThan, LessThanOrEqual, MoreThan, MoreThanOrEqual, Not } from 'typeorm';
import { Campaign } from '../../coordinator/src/campaigns/campaign.entity.js';
import { ModelVersion } from '../../coordinator/src/models/model-version.entity.js';
import { VersionScore } from '../../coordinator/src/models/version-score.entity.js';
import { dataSourceOptions } from '../../coordinator/src/records/data-source.js';
import { UnitOfWork } from '../../coordinator/src/records/unit-of-work.js';
import { Participation } from '../../coordinator/src/rounds/participation.entity.js';
import { Round } from '../../coordinator/src/rounds/round.entity.js';
import { Site } from '../../coordinator/src/sites/site.entity.js';
import { plan } from '../fixtures/made-campaign.js';
import { makeProbeScore } from '../fixtures/make-assignment.js';
import { hasPostgres, TestPostgres } from '../fixtures/start-postgres.js';
import { MemoryDatabase, UNIQUE_KEYS } from '../simulation/records/memory-database.js';

let sqlite: DataSource;
let others: DataSource[];
let forms: UnitOfWork[];
let server: TestPostgres | undefined;

beforeAll(async () => {
  if (hasPostgres()) server = await TestPostgres.start();
  else process.stderr.write('records: PostgreSQL is passed over, it is not installed\n');
}, 60_000);
afterAll(() => server?.remove());

beforeEach(async () => {
  sqlite = await new DataSource({ ...dataSourceOptions(':memory:') }).initialize();
  others = server === undefined ? [] : [await new DataSource(dataSourceOptions(await server.createDatabase())).initialize()];
  forms = [sqlite, ...others, new MemoryDatabase().connect()].map((source) => new UnitOfWork(source));
});
afterEach(() => Promise.all([sqlite, ...others].map((source) => source.destroy())));

const site = (id: string, more: object = {}) => ({
  id,
  name: `name of ${id}`,
  state: 'enrolled' as const,
  createdAtMs: 1,
  ...more,
});

function round(number: number, more: Partial<Round> = {}) {
  const times = { startedAtMs: number, deadlineAtMs: 10 * number, finishedAtMs: null };
  const made = { id: `round_${number}`, campaignId: 'c', number, attempt: 1, state: 'planned' as const, code: null };
  return { ...made, baseVersion: number, ...times, ...more };
}

function participation(roundId: string, siteId: string, state: Participation['state'], deliveredAtMs: number | null = null) {
  const made = { id: `part_${roundId}_${siteId}`, roundId, siteId, siteName: `name of ${siteId}` };
  return { ...made, state, code: null, invitedAtMs: 1, deliveredAtMs };
}

async function fill(records: EntityManager): Promise<void> {
  await records.save(
    Site,
    ['s1', 's2', 's3'].map((id) => site(id)),
  );
  const times = { createdAtMs: 1, scoringSinceMs: null, finishedAtMs: null };
  const campaign = { id: 'c', name: 'tiny', state: 'active' as const, code: null, sites: [{ id: 's1', name: 'name of s1' }] };
  await records.save(Campaign, { ...campaign, ...times, plan: plan('tiny') as Campaign['plan'] });
  for (const number of [2, 1, 3]) await records.save(Round, round(number, number === 3 ? { code: 'QUORUM_MISSED' } : {}));
  await records.save(Participation, [
    participation('round_1', 's2', 'delivered', 7),
    participation('round_1', 's1', 'late'),
    participation('round_2', 's1', 'invited'),
  ]);
}

/** The answer of every form, which must be one and the same. */
async function answer(work: (records: EntityManager) => Promise<unknown>): Promise<unknown> {
  const answers = [];
  for (const form of forms) {
    const settled = await form.transact(work).then(
      (value: unknown) => ({ value: JSON.parse(JSON.stringify(value ?? null)) as unknown }),
      (error: Error & { code?: string }) => ({ refused: error.code }),
    );
    answers.push(settled);
  }
  for (const other of answers.slice(1)) expect(other).toEqual(answers[0]);
  const [first] = answers as [{ value?: unknown; refused?: string }];
  return first.refused ?? first.value;
}

describe('records in SQLite, in PostgreSQL and in memory', () => {
  beforeEach(async () => {
    for (const form of forms) await form.transact(fill);
  });

  it('know the same unique keys', async () => {
    for (const [entity, keys] of UNIQUE_KEYS) {
      const { tableName } = sqlite.getMetadata(entity);
      const indexes: { name: string; origin: string; unique: number }[] = await sqlite.query(`PRAGMA index_list("${tableName}")`);
      const written = [];
      for (const { name, origin } of indexes.filter(({ unique }) => unique === 1)) {
        if (origin === 'pk') continue;
        const columns: { name: string }[] = await sqlite.query(`PRAGMA index_info("${name}")`);
        written.push(columns.map((column) => column.name));
      }
      expect([tableName, written.map(String).sort()]).toEqual([tableName, keys.map(String).sort()]);
    }
  });

  it('find the same rows in the same order', async () => {
    const numbers = async (records: EntityManager, order: object) =>
      (await records.find(Round, { where: { campaignId: 'c' }, order })).map(({ number }) => number);
    expect(await answer((records) => numbers(records, { number: 'DESC', attempt: 'DESC' }))).toEqual([3, 2, 1]);
    expect(await answer((records) => numbers(records, { finishedAtMs: 'ASC', number: 'ASC' }))).toEqual([1, 2, 3]);
    const names = ['b', 'B', 'a-c', 'ab', 'é'];
    await answer((records) =>
      records
        .insert(
          Site,
          names.map((name) => site(`id-${name}`, { name })),
        )
        .then(() => null),
    );
    const sites = (records: EntityManager) => records.find(Site, { where: { name: In(names) }, order: { name: 'ASC' } });
    expect(await answer(async (records) => (await sites(records)).map(({ name }) => name))).toEqual(['B', 'a-c', 'ab', 'b', 'é']);
    expect(await answer((records) => records.findOne(Round, { where: {}, order: { number: 'DESC' } }))).toEqual(
      round(3, { code: 'QUORUM_MISSED' }),
    );
    expect(await answer((records) => records.find(Round, { order: { number: 'ASC' }, take: 1 }))).toEqual([round(1)]);
    expect(await answer((records) => records.findOneBy(Round, { id: 'none' }))).toBeNull();
    const either = { where: [{ id: 'tiny' }, { name: 'tiny' }] };
    expect(await answer((records) => records.findOne(Campaign, either))).toMatchObject({ id: 'c', plan: { name: 'tiny' } });
  });

  it('agree on conditions, also where a value is absent', async () => {
    const ids = (where: object) =>
      answer(async (records) => (await records.findBy(Participation, where)).map(({ id }) => id).sort());
    const [first, second, third] = ['part_round_1_s1', 'part_round_1_s2', 'part_round_2_s1'];
    expect(await ids({ state: In(['late', 'invited']) })).toEqual([first, third]);
    expect(await ids({ id: In([]) })).toEqual([]);
    expect(await ids({ roundId: 'round_1', siteId: 's1' })).toEqual([first]);
    expect(await ids({ deliveredAtMs: IsNull() })).toEqual([first, third]);
    expect(await ids({ deliveredAtMs: Not(IsNull()) })).toEqual([second]);
    expect(await ids({ deliveredAtMs: Not(8) })).toEqual([second]);
    expect(await ids({ state: Not(In(['late', 'invited'])) })).toEqual([second]);
    expect(await ids({ deliveredAtMs: LessThan(8) })).toEqual([second]);
    expect(await ids({ deliveredAtMs: LessThan(7) })).toEqual([]);
    expect(await ids({ deliveredAtMs: LessThanOrEqual(7) })).toEqual([second]);
    expect(await ids({ deliveredAtMs: MoreThan(7) })).toEqual([]);
    expect(await ids({ deliveredAtMs: MoreThanOrEqual(7) })).toEqual([second]);
  });

  it('count, look up and change alike', async () => {
    expect(await answer((records) => records.countBy(Round, { campaignId: 'c', number: 2 }))).toBe(1);
    expect(await answer((records) => records.existsBy(VersionScore, { campaignId: 'c' }))).toBe(false);
    const seen = async (records: EntityManager) => {
      const { affected } = await records.update(Site, { id: In(['s1', 's2']) }, { lastSeenAtMs: 9 });
      return { affected, sites: await records.find(Site, { order: { id: 'ASC' } }) };
    };
    expect(await answer(seen)).toMatchObject({
      affected: 2,
      sites: [{ lastSeenAtMs: 9 }, { lastSeenAtMs: 9 }, { lastSeenAtMs: null }],
    });
    const without = async (records: EntityManager) => {
      const { affected } = await records.delete(Participation, { roundId: 'round_1' });
      return [affected, await records.countBy(Participation, {})];
    };
    expect(await answer(without)).toEqual([2, 1]);
  });

  it('save new rows, changed rows and rows that were read before alike', async () => {
    const version = {
      id: 'v1',
      campaignId: 'c',
      number: 1,
      digest: 'sha256:00' as const,
      bytes: 3,
      roundId: null,
      createdAtMs: 1,
    };
    expect(await answer((records) => records.save(ModelVersion, { ...version, parentNumber: null }))).toEqual({
      ...version,
      parentNumber: null,
      deltaDigest: null,
      deltaBytes: null,
      stateDigest: null,
      stateBytes: null,
      droppedAtMs: null,
      pin: null,
    });
    const again = async (records: EntityManager) => {
      const found = (await records.findOneBy(Round, { number: 2 })) as Round;
      found.state = 'inviting';
      const returned = await records.save(found);
      await records.save(Site, { id: 's1', name: 'renamed' });
      return [returned === found, await records.findOneBy(Round, { number: 2 }), await records.findOneBy(Site, { id: 's1' })];
    };
    expect(await answer(again)).toMatchObject([true, { state: 'inviting' }, { name: 'renamed', state: 'enrolled' }]);
    const score = {
      campaignId: 'c',
      versionNumber: 1,
      siteId: 's1',
      siteName: 'name of s1',
      score: makeProbeScore(),
      monitors: null,
    };
    for (const reportedAtMs of [1, 2]) await answer((records) => records.save(VersionScore, { ...score, reportedAtMs }));
    expect(await answer((records) => records.find(VersionScore))).toEqual([{ ...score, reportedAtMs: 2 }]);
    const inserted = async (records: EntityManager) => {
      await records.insert(Site, site('s4'));
      return records.countBy(Site, {});
    };
    expect(await answer(inserted)).toBe(4);
  });

  it('refuse what breaks a key or lacks a value, and keep nothing of that transaction', async () => {
    const refused = [
      (records: EntityManager) => records.save(Round, round(1, { id: 'another' })),
      (records: EntityManager) => records.save(Site, site('s9', { name: 'name of s1' })),
      (records: EntityManager) => records.insert(Site, site('s1')),
      (records: EntityManager) => records.save(Site, { id: 's9', name: 'nine', createdAtMs: 1 } as Site),
    ];
    for (const wrong of refused) {
      const work = async (records: EntityManager) => {
        await records.update(Site, { id: 's1' }, { agentVersion: 'half way' });
        return wrong(records);
      };
      expect(await answer(work)).toBe('STORAGE_FAILED');
      expect(await answer((records) => records.findOneBy(Site, { id: 's1' }))).toMatchObject({ agentVersion: null });
      expect(await answer((records) => records.countBy(Round, {}))).toBe(3);
    }
  });

  it('take back to a savepoint and no further', async () => {
    const work = async (records: EntityManager) => {
      await records.save(Site, site('s4'));
      const failing = records.transaction(async (inner) => {
        await inner.save(Site, site('s5'));
        await inner.update(Site, { id: 's1' }, { agentVersion: 'half way' });
        throw new Error('half way');
      });
      await failing.catch(() => undefined);
      await records.transaction((inner) => inner.save(Site, site('s6')));
      return records.find(Site, { order: { id: 'ASC' } });
    };
    const sites = (await answer(work)) as Site[];
    expect(sites.map(({ id, agentVersion }) => [id, agentVersion])).toEqual(
      ['s1', 's2', 's3', 's4', 's6'].map((id) => [id, null]),
    );
    expect(await answer((records) => records.findOneByOrFail(Site, { id: 's4' }))).toMatchObject({ id: 's4' });
    expect(await answer((records) => records.findOneByOrFail(Site, { id: 'none' }))).toBe('INVARIANT');
  });
});
