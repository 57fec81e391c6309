import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { loadCoordinatorConfig } from '../../coordinator/src/config/coordinator-config.js';
import { openCoordinator } from '../../coordinator/src/main.js';
import { dataSourceOptions } from '../../coordinator/src/records/data-source.js';
import { UnitOfWork } from '../../coordinator/src/records/unit-of-work.js';
import { Site } from '../../coordinator/src/sites/site.entity.js';
import { freePort } from '../../deploy/src/programs/free-port.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite } from '../fixtures/raw-site.js';
import { describeWithPostgres, TestPostgres } from '../fixtures/start-postgres.js';

const site = (id: string) => ({ id, name: `name of ${id}`, state: 'enrolled' as const, createdAtMs: 1 });

describeWithPostgres('records in PostgreSQL', () => {
  let server: TestPostgres;

  beforeAll(async () => {
    server = await TestPostgres.start();
  }, 60_000);
  afterAll(() => server.remove());

  it('have a schema that matches its entities, and texts in the order of their bytes', async () => {
    const url = await server.createDatabase();
    const database = await new DataSource(dataSourceOptions(url)).initialize();
    try {
      for (const { tableName, columns } of database.entityMetadatas) {
        const rows: { name: string; type: string; nullable: string; collation: string | null }[] = await database.query(
          `SELECT column_name AS name, data_type AS type, is_nullable AS nullable, collation_name AS collation
             FROM information_schema.columns WHERE table_name = $1`,
          [tableName],
        );
        const written = rows.map(({ name, type, nullable }) => [name, type, nullable === 'YES']).sort();
        const declared = columns.map(({ databaseName, type, isNullable }) => [databaseName, type, isNullable]).sort();
        expect([tableName, written]).toEqual([tableName, declared]);
        for (const { type, collation } of rows) expect(collation).toBe(type === 'text' ? 'C' : null);
      }
    } finally {
      await database.destroy();
    }
  });

  it('take works that wait together in one commit, and refuse one of them alone', async () => {
    const database = await new DataSource(dataSourceOptions(await server.createDatabase())).initialize();
    const records = new UnitOfWork(database);
    try {
      const ids = ['a', 'b', 'b', 'c', 'd'];
      const outcomes = await Promise.allSettled(ids.map((id) => records.transact((own) => own.insert(Site, site(id)))));
      expect(outcomes.map(({ status }) => status === 'fulfilled')).toEqual([true, true, false, true, true]);
      expect(outcomes[2]).toMatchObject({ reason: { code: 'STORAGE_FAILED' } });
      expect(await records.transact((own) => own.count(Site))).toBe(4);
    } finally {
      await database.destroy();
    }
  });

  it('belong to one coordinator at a time, whatever its folder', async () => {
    const database = await server.createDatabase();
    const first = await TestCoordinator.open({ database });
    await expect(TestCoordinator.open({ database })).rejects.toMatchObject({
      code: 'COORDINATOR_ALREADY_RUNNING',
      message: 'another coordinator works on this database',
    });
    await first.remove();
    await (await TestCoordinator.open({ database })).remove();
  }, 30_000);

  it('are there again after their session was cut, and cannot be written by one who lost the lock', async () => {
    const url = await server.createDatabase();
    const [name] = url.split('/').slice(-1);
    const database = await new DataSource(dataSourceOptions(url)).initialize();
    const records = new UnitOfWork(database);
    const add = (id: string) => records.transact((own) => own.insert(Site, site(id)).then(() => id));
    const cut = () =>
      server.ask(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '${name}' AND pid <> pg_backend_pid()`);
    try {
      await add('a');
      await cut();
      await eventually(() => add('b').catch(() => undefined));
      // In the midst of a transaction: nobody hears of success, and nothing of it is there.
      const midst = records.transact(async (own) => {
        await own.insert(Site, site('c'));
        await cut();
        await own.insert(Site, site('d'));
      });
      await expect(midst).rejects.toMatchObject({ code: 'STORAGE_FAILED', retryable: true });
      const sites = await eventually(() => records.transact((own) => own.find(Site)).catch(() => undefined));
      expect(sites.map(({ id }) => id).sort()).toEqual(['a', 'b']);
      // Somebody else has taken the lock meanwhile.
      await cut();
      const other = await new DataSource(dataSourceOptions(url)).initialize();
      await expect(add('e')).rejects.toMatchObject({ code: 'COORDINATOR_ALREADY_RUNNING' });
      await other.destroy();
      expect(await add('e')).toBe('e');
    } finally {
      await database.destroy();
    }
  }, 30_000);

  it('carry a campaign on after the server was down in the midst of it', async () => {
    const coordinator = await TestCoordinator.open({ database: await server.createDatabase() });
    try {
      const sites = [await RawSite.enrol(coordinator, 'a'), await RawSite.enrol(coordinator, 'b')];
      for (const one of sites) await one.connect();
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1 }));
      const [a, b] = sites;
      if (a === undefined || b === undefined) throw new Error('two sites');
      const [forA, forB] = [await a.trainAssignment(1), await b.trainAssignment(1)];
      await a.deliver(forA, constantUpdate(MODEL, 0.5), 10);
      await server.kill();
      const response = await fetch(`${coordinator.url}/api/campaigns`, {
        headers: { authorization: `Bearer ${coordinator.operatorToken}` },
      });
      expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([503, 'STORAGE_FAILED']);
      await server.run();
      const accepted = await eventually(async () => {
        const answer = await b.deliver(forB, constantUpdate(MODEL, 0.25), 10).catch(() => undefined);
        return answer?.ok === true ? answer : undefined;
      });
      expect(accepted).toMatchObject({ ok: true });
      const view = await eventually(async () => {
        const now = await campaignView(coordinator, 'lungs').catch(() => undefined);
        return now?.roundViews[0]?.state === 'finished' ? now : undefined;
      });
      expect(view.version.number).toBe(2);
      for (const one of sites) one.disconnect();
    } finally {
      await coordinator.remove();
    }
  }, 60_000);

  it('are opened with a password from a file, which only its owner may read', async () => {
    const url = new URL(await server.createDatabase());
    const folder = await mkdtemp(join(tmpdir(), 'password-'));
    const file = join(folder, 'pgpass');
    await writeFile(file, `${url.hostname}:${url.port}:*:${url.username}:${url.password}\n`, { mode: 0o600 });
    url.password = '';
    const before = process.env['PGPASSFILE'];
    process.env['PGPASSFILE'] = file;
    try {
      await (await new DataSource(dataSourceOptions(url.href)).initialize()).destroy();
      await chmod(file, 0o644);
      await expect(new DataSource(dataSourceOptions(url.href)).initialize()).rejects.toThrow(/password/);
    } finally {
      if (before === undefined) delete process.env['PGPASSFILE'];
      else process.env['PGPASSFILE'] = before;
      await rm(folder, { recursive: true });
    }
  });

  it('that cannot be reached end the start with a reason, and never with a password', async () => {
    const home = await mkdtemp(join(tmpdir(), 'coordinator-'));
    const url = `postgres://someone:planted-secret@127.0.0.1:${await freePort()}/nowhere`;
    const { config, explained } = loadCoordinatorConfig({
      flags: { home, port: 0, logLevel: 'silent' },
      environment: { CONSILIUM_COORDINATOR_DATABASE: url },
    });
    try {
      const shown = explained.find(({ name }) => name === 'database');
      expect(shown).toMatchObject({ origin: 'environment', value: url.replace('planted-secret', '***') });
      const thrown: unknown = await openCoordinator(config).catch((error: unknown) => error);
      expect(thrown).toMatchObject({
        code: 'STORAGE_FAILED',
        message: expect.stringContaining('ECONNREFUSED') as string,
        remedy: expect.stringContaining('account') as string,
      });
      expect(String((thrown as Error).stack)).not.toContain('planted-secret');
    } finally {
      await rm(home, { recursive: true });
    }
  });
});
