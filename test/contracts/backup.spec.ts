import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOfBytes } from '@consilium/shared/kernel';
import { backupBlobPath, backupFolder, type BackupList, backupListSchema } from '../../coordinator/src/backup/backup-format.js';
import { backupCommand, restoreCommand } from '../../coordinator/src/commands/backup.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite } from '../fixtures/raw-site.js';
import { runCommand } from '../fixtures/run-command.js';
import { describeOnEachDatabase, describeWithPostgres, TestPostgres } from '../fixtures/start-postgres.js';

/** Of sites since they have keys, of updates and versions since there is retention. */
const LATER_COLUMNS: Readonly<Record<string, readonly string[]>> = {
  sites: ['publicKey', 'keyThumbprint', 'credentialExpiresAtMs'],
  updates: ['droppedAtMs'],
  model_versions: ['droppedAtMs', 'pin'],
};
const NAMES = ['site-a', 'site-b'];

/** Each site delivers its update of the round. */
async function deliverRound(sites: readonly RawSite[], round: number): Promise<void> {
  for (const [index, site] of sites.entries()) {
    const assignment = await site.trainAssignment(round);
    const delta = (index + 1) / (8 * round);
    expect(await site.deliver(assignment, constantUpdate(MODEL, delta), 10 + index)).toMatchObject({ ok: true });
  }
}

/** The digest of the version that the round made. */
function versionOf(coordinator: TestCoordinator, round: number): Promise<Digest> {
  return eventually(async () => (await campaignView(coordinator, 'lungs')).roundViews[round - 1]?.version?.digest);
}

describeOnEachDatabase('a backup', (newDatabase) => {
  let coordinator: TestCoordinator;
  let folder: string;
  const sites: RawSite[] = [];
  const connect = async (to: TestCoordinator): Promise<readonly RawSite[]> => {
    const known = sites.splice(0).map(({ name, credential }) => RawSite.known(to, name, credential));
    for (const site of known) await site.connect();
    sites.push(...known);
    return sites;
  };
  const backup = async (...words: string[]): Promise<BackupList> => {
    const access = ['--url', coordinator.url, '--home', coordinator.home];
    return backupListSchema.parse(JSON.parse(await runCommand(backupCommand(), [folder, '--json', ...access, ...words])));
  };

  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'backup-')), 'kept');
    coordinator = await TestCoordinator.open({ database: await newDatabase() });
    for (const name of NAMES) sites.push(await RawSite.enrol(coordinator, name));
    for (const site of sites) await site.connect();
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 2 }));
  });
  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
    await rm(join(folder, '..'), { recursive: true });
  });

  it('taken in the midst of a campaign is brought back, and the campaign comes to the same bytes', async () => {
    await deliverRound(sites, 1);
    await versionOf(coordinator, 1);
    // One of two updates of round 2 is there: it must be there afterwards too.
    const [first, second] = sites;
    if (first === undefined || second === undefined) throw new Error('two sites');
    const assignment = await first.trainAssignment(2);
    await first.deliver(assignment, constantUpdate(MODEL, 0.25), 10);
    const list = await backup();
    const late = await second.trainAssignment(2);
    await second.deliver(late, constantUpdate(MODEL, 0.5), 30);
    const [one, two] = [await versionOf(coordinator, 1), await versionOf(coordinator, 2)];
    await coordinator.stop();

    const home = join(folder, '..', 'again');
    const database = await newDatabase();
    const config = database === undefined ? '' : `database: ${database}\n`;
    const told = await restoreInto(folder, home, config);
    expect(told).toContain(`${list.records.rows} records, ${list.blobs.files} weight files`);
    const restored = await TestCoordinator.openIn(home, { database });
    try {
      const [, again] = await connect(restored);
      if (again === undefined) throw new Error('two sites');
      expect(await versionOf(restored, 1)).toBe(one);
      await again.deliver(await again.trainAssignment(2), constantUpdate(MODEL, 0.5), 30);
      expect(await versionOf(restored, 2)).toBe(two);
      for (const site of sites.splice(0)) site.disconnect();
    } finally {
      await restored.remove();
    }
  }, 60_000);

  it('into the same folder fetches what is new, and may leave out what was folded', async () => {
    await deliverRound(sites, 1);
    await versionOf(coordinator, 1);
    const lean = await backup('--lean');
    expect(lean.blobs.leftOut).toBe(2);
    const whole = await backup();
    expect(whole.blobs).toMatchObject({ files: lean.blobs.files + 2, leftOut: 0 });
    const { records, blobs } = await backup();
    expect(blobs).toEqual(whole.blobs);
    expect((await readdir(folder)).filter((name) => name.startsWith('records-'))).toHaveLength(1);
    const text = await readFile(join(folder, records.file), 'utf8');
    expect(text).not.toContain(coordinator.operatorToken);
    for (const { credential } of sites) expect(text).not.toContain(credential);
  });

  it('of an earlier version of the tables is brought up to date', async () => {
    const list = await backup();
    const file = join(folder, list.records.file);
    const lines = (await readFile(file, 'utf8'))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    // As a program wrote it that knew no audit log, nor what came after it.
    const [head, end] = [lines[0], lines.at(-1)];
    if (head === undefined || end === undefined) throw new Error('records have a beginning and an end');
    const migrations = head['migrations'] as string[];
    head['migrations'] = migrations.slice(
      0,
      migrations.findIndex((name) => name.startsWith('AuditLog')),
    );
    const older = lines.filter(({ table }) => table !== 'audit_entries');
    for (const { row, table } of older)
      for (const column of LATER_COLUMNS[String(table)] ?? []) delete (row as Record<string, unknown>)[column];
    end['rows'] = older.filter(({ kind }) => kind === 'row').length;
    const text = `${older.map((line) => JSON.stringify(line)).join('\n')}\n`;
    await writeFile(file, text);
    const records = { ...list.records, digest: digestOfBytes(text) };
    await writeFile(join(folder, 'backup.json'), JSON.stringify({ ...list, records }));
    const home = join(folder, '..', 'again');
    const database = await newDatabase();
    await restoreInto(folder, home, database === undefined ? '' : `database: ${database}\n`);
    const restored = await TestCoordinator.openIn(home, { database });
    expect((await campaignView(restored, 'lungs')).state).toBe('active');
    expect(await askOperator(restored, 'GET', '/api/audit')).toEqual({ entries: [] });
    await restored.remove();
  }, 30_000);

  it('that is not whole restores nothing', async () => {
    await deliverRound(sites, 1);
    const version = await versionOf(coordinator, 1);
    const { records } = await backup();
    const home = join(folder, '..', 'again');
    const file = join(folder, records.file);
    const before = await readFile(file);
    await writeFile(file, before.subarray(0, before.length - 20));
    await expect(restoreInto(folder, home)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await writeFile(file, before);
    const blob = backupBlobPath(backupFolder(folder), version);
    const weights = await readFile(blob);
    await appendFile(blob, 'x');
    await expect(restoreInto(folder, home)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await rm(blob);
    await expect(restoreInto(folder, home)).rejects.toMatchObject({ code: 'BACKUP_DAMAGED' });
    await writeFile(blob, weights);
    await restoreInto(folder, home);
    await expect(restoreInto(folder, home)).rejects.toMatchObject({ code: 'NAME_TAKEN' });
    await expect(restoreInto(join(folder, 'nothing'), join(home, 'other'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }, 30_000);
});

describeWithPostgres('a backup of records in SQLite', () => {
  it('is brought back into PostgreSQL', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'backup-'));
    const server = await TestPostgres.start();
    const before = await TestCoordinator.open();
    const sites = [await RawSite.enrol(before, 'site-a'), await RawSite.enrol(before, 'site-b')];
    try {
      for (const site of sites) await site.connect();
      await askOperator(before, 'POST', '/api/campaigns', plan('lungs', { rounds: 2 }));
      await deliverRound(sites, 1);
      await versionOf(before, 1);
      const kept = join(folder, 'kept');
      await runCommand(backupCommand(), [kept, '--json', '--url', before.url, '--home', before.home]);
      for (const site of sites) site.disconnect();
      const { roundViews, version } = await campaignView(before, 'lungs');
      const database = await server.createDatabase();
      await restoreInto(kept, join(folder, 'home'), `database: ${database}\n`);
      const after = await TestCoordinator.openIn(join(folder, 'home'), { database });
      const again = await campaignView(after, 'lungs');
      expect([again.version, again.roundViews[0]]).toEqual([version, roundViews[0]]);
      await after.remove();
    } finally {
      await before.remove();
      await server.remove();
      await rm(folder, { recursive: true });
    }
  }, 60_000);
});

/** By the command, with what coordinator.yaml in the new folder says. */
async function restoreInto(folder: string, home: string, config = ''): Promise<string> {
  await mkdir(home, { recursive: true });
  await writeFile(join(home, 'coordinator.yaml'), config);
  return runCommand(restoreCommand(), [folder, '--home', home]);
}
