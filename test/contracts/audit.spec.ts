import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DataSource } from 'typeorm';
import { auditCommand } from '../../coordinator/src/commands/audit.js';
import { dataSourceOptions } from '../../coordinator/src/records/data-source.js';
import { MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite } from '../fixtures/raw-site.js';
import { runCommand } from '../fixtures/run-command.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';

describeOnEachDatabase('the audit log', (newDatabase) => {
  let coordinator: TestCoordinator;
  let database: string | undefined;
  let folder: string;
  let present: RawSite | undefined;
  const audit = (...words: string[]): Promise<string> =>
    runCommand(auditCommand(), [...words, '--url', coordinator.url, '--home', coordinator.home]);
  const head = async (): Promise<string> => (JSON.parse(await audit('verify', '--json')) as { head: string }).head;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'audit-'));
    database = await newDatabase();
    coordinator = await TestCoordinator.open({ database });
  });
  afterEach(async () => {
    present?.disconnect();
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  /** Two sites, a round in which one update is held back and released by name, and a site that is let go. */
  async function happen(): Promise<void> {
    const [a, b] = [await RawSite.enrol(coordinator, 'a'), await RawSite.enrol(coordinator, 'b')];
    for (const site of [a, b]) await site.connect();
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, quorum: 1 }));
    const [forA, forB] = [await a.trainAssignment(1), await b.trainAssignment(1)];
    await b.deliver(forB, constantUpdate(MODEL, Number.NaN), 10);
    await a.deliver(forA, constantUpdate(MODEL, 0.5), 10);
    // The last version waits for its scores: nothing moves by itself from here on.
    await eventually(async () => ((await campaignView(coordinator, 'lungs')).state === 'scoring' ? true : undefined));
    await askOperator(coordinator, 'POST', `/api/updates/${forB.participationId}/discard`, { operator: 'ada', reason: 'a NaN' });
    await askOperator(coordinator, 'POST', '/api/sites/b/revoke');
    // As long as a is here, the campaign waits for its score.
    present = a;
  }

  it('tells who did what, in order, and can be checked and taken away as a file', async () => {
    await happen();
    const entries = JSON.parse(await audit('show', '--json')) as {
      kind: string;
      actor: string;
      subject: Record<string, unknown>;
    }[];
    expect(entries.map(({ kind, actor }) => `${actor} ${kind}`)).toEqual([
      'operator site-invited',
      'site:a site-enrolled',
      'operator site-invited',
      'site:b site-enrolled',
      'operator campaign-started',
      'coordinator round-planned',
      'site:b update-quarantined',
      'coordinator part-quarantined',
      'site:a update-accepted',
      'coordinator part-delivered',
      'coordinator round-finished',
      'coordinator campaign-scoring',
      'operator update-discarded',
      'operator site-revoked',
    ]);
    const view = await campaignView(coordinator, 'lungs');
    expect(entries[4]?.subject).toMatchObject({ campaign: 'lungs', sites: ['a', 'b'], digest: view.initialVersion.digest });
    expect(entries[6]?.subject).toMatchObject({ code: 'UPDATE_NOT_FINITE' });
    expect(entries[8]?.subject).toMatchObject({ code: null, patches: 10 });
    expect(entries[10]?.subject).toMatchObject({ campaign: 'lungs', round: 1, version: view.version.digest });
    expect(entries[12]?.subject).toMatchObject({ reason: 'a NaN' });

    expect(await audit('verify')).toMatch(/^14 entries, each as it was written\nhead {2}sha256:/);
    const file = join(folder, 'audit.jsonl');
    await audit('export', '--output', file);
    expect(await runCommand(auditCommand(), ['verify', file, '--head', await head()])).toContain('14 entries');
    await audit('export', '--format', 'csv', '--output', join(folder, 'audit.csv'));
    const table = (await readFile(join(folder, 'audit.csv'), 'utf8')).trim().split('\n');
    expect(table).toHaveLength(15);
    expect(table[13]).toMatch(
      /^13,20\d\d-.*,operator,update-discarded,campaign lungs; round 1; site b; digest sha256:\w{64}; decidedBy ada; reason a NaN,sha256:\w{64}$/,
    );
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    await writeFile(file, `${lines.with(8, (lines[8] ?? '').replace('site:a', 'site:b')).join('\n')}\n`);
    await expect(runCommand(auditCommand(), ['verify', file])).rejects.toMatchObject({
      code: 'AUDIT_BROKEN',
      details: { seq: 9 },
    });
  }, 30_000);

  it('shows what was altered in the database, and an end that was cut off to whoever noted the head', async () => {
    await happen();
    const noted = await head();
    const alter = async (statement: string): Promise<void> => {
      await coordinator.stop();
      const place = database ?? join(coordinator.home, 'coordinator.sqlite');
      const source = await new DataSource(dataSourceOptions(place)).initialize();
      await source.query(statement);
      await source.destroy();
      await coordinator.start();
      await present?.connect();
    };
    await alter(`DELETE FROM "audit_entries" WHERE "seq" = 14`);
    expect(await audit('verify')).toContain('13 entries');
    await expect(audit('verify', '--head', noted)).rejects.toMatchObject({ code: 'AUDIT_BROKEN' });
    await alter(`UPDATE "audit_entries" SET "actor" = 'operator:eve' WHERE "seq" = 13`);
    await expect(audit('verify')).rejects.toMatchObject({
      code: 'AUDIT_BROKEN',
      message: expect.stringContaining('entry 13') as string,
    });
  }, 60_000);
});
