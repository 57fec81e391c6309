import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { ModelLedger } from '../models/model-ledger.js';
import { Site } from '../sites/site.entity.js';
import { dataSourceOptions, visitorOptions } from './data-source.js';
import { UnitOfWork } from './unit-of-work.js';

describe('UnitOfWork', () => {
  let home: string;
  let database: DataSource;
  let unitOfWork: UnitOfWork;

  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), 'records-'));
    database = await new DataSource(dataSourceOptions(join(home, 'coordinator.sqlite'))).initialize();
    unitOfWork = new UnitOfWork(database);
  });

  afterEach(async () => {
    await database.destroy();
    rmSync(home, { recursive: true });
  });

  const site = (id: string) => ({ id, name: id, state: 'invited' as const, createdAtMs: 1 });

  it('writes all or nothing, and goes on after a failure', async () => {
    const failing = unitOfWork.transact(async (records) => {
      await records.save(Site, site('a'));
      throw new Error('half way');
    });
    const following = unitOfWork.transact(async (records) => records.save(Site, site('b')));
    await expect(failing).rejects.toThrow('half way');
    await following;
    const names = await unitOfWork.transact(async (records) => (await records.find(Site)).map(({ name }) => name));
    expect(names).toEqual(['b']);
  });

  it('never lets two transactions overlap', async () => {
    let inside = 0;
    let most = 0;
    const visit = () =>
      unitOfWork.transact(async (records) => {
        most = Math.max(most, ++inside);
        await records.find(Site);
        await new Promise((resolve) => setTimeout(resolve, 2));
        inside--;
      });
    await Promise.all([visit(), visit(), visit()]);
    expect(most).toBe(1);
  });

  it('commits what waits together at once, and an error takes back its own writes only', async () => {
    await unitOfWork.transact(async (records) => records.save(Site, site('first')));
    const outcomes = await Promise.allSettled(
      ['a', 'first', 'b', 'fails', 'c'].map((id) =>
        unitOfWork.transact(async (records) => {
          await records.insert(Site, site(id));
          if (id === 'fails') throw new Error('half way');
          return id;
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected', 'fulfilled']);
    const names = await unitOfWork.transact(async (records) => (await records.find(Site)).map(({ name }) => name));
    expect(names.sort()).toEqual(['a', 'b', 'c', 'first']);
  });

  it('tells nobody of success before the commit: what fails there fails for all', async () => {
    const works = ['a', 'b', 'c'].map((id) =>
      unitOfWork.transact(async (records) => {
        await records.insert(Site, site(id));
        // The commit of the second batch finds its transaction gone, as after a full disk.
        if (id === 'c') await records.query('ROLLBACK');
      }),
    );
    const outcomes = await Promise.allSettled(works);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
    const names = await unitOfWork.transact(async (records) => (await records.find(Site)).map(({ name }) => name));
    expect(names).toEqual(['a']);
  });

  it('is refused while another program writes, and goes on as soon as that one has ended', async () => {
    const others = await new DataSource(visitorOptions(join(home, 'coordinator.sqlite'))).initialize();
    const readThenWrite = (id: string) =>
      unitOfWork.transact(async (records) => {
        await records.find(Site);
        await records.insert(Site, site(id));
      });
    await readThenWrite('before');
    await others.query('BEGIN IMMEDIATE');
    await others.query(`INSERT INTO sites (id, name, state, createdAtMs) VALUES ('other', 'other', 'invited', 1)`);
    await expect(readThenWrite('meanwhile')).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
      remedy: expect.stringContaining('Another program is writing') as string,
    });
    await others.query('COMMIT');
    await readThenWrite('after');
    const names = (await others.manager.find(Site)).map(({ name }) => name);
    await others.destroy();
    expect(names.sort()).toEqual(['after', 'before', 'other']);
  });

  it('is durable: write-ahead log with full synchronisation', async () => {
    expect(await database.query('PRAGMA journal_mode')).toEqual([{ journal_mode: 'wal' }]);
    expect(await database.query('PRAGMA synchronous')).toEqual([{ synchronous: 2 }]);
  });

  it('has a schema that matches its entities, column by column', async () => {
    for (const { tableName, columns } of database.entityMetadatas) {
      const rows: { name: string; type: string; notnull: number; pk: number }[] = await database.query(
        `PRAGMA table_info("${tableName}")`,
      );
      const written = rows.map(({ name, type, notnull, pk }) => [name, type.toLowerCase(), notnull === 0, pk > 0]).sort();
      const declared = columns
        .map(({ databaseName, type, isNullable, isPrimary }) => [databaseName, type, isNullable, isPrimary])
        .sort();
      expect([tableName, written]).toEqual([tableName, declared]);
    }
  });

  it('refuses a second version of the same number or round: the ledger cannot fork', async () => {
    const ledger = new ModelLedger({ nowMs: () => 1 });
    const version = { campaignId: 'c', number: 1, digest: 'sha256:00' as const, bytes: 1, roundId: null };
    await unitOfWork.transact(async (records) => {
      await records.query(
        `INSERT INTO campaigns (id, name, state, plan, sites, createdAtMs) VALUES ('c', 'c', 'active', '{}', '[]', 1)`,
      );
      await ledger.append(records, version);
    });
    await expect(unitOfWork.transact((records) => ledger.append(records, version))).rejects.toMatchObject({
      code: 'STORAGE_FAILED',
    });
  });
});
