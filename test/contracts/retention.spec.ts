import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, systemClock } from '@consilium/shared/kernel';
import {
  auditPageSchema,
  type FederatedPassport,
  followAudit,
  type RetentionAnswer,
  retentionAnswerSchema,
  type RetentionView,
  retentionViewSchema,
  updateViewSchema,
  verifyPassport,
  type VersionView,
  versionViewSchema,
} from '@consilium/shared/wire';
import { Command } from 'commander';
import { z } from 'zod';
import type { BlobStore } from '../../coordinator/src/blobs/blob-store.js';
import { backupCommand, restoreCommand } from '../../coordinator/src/commands/backup.js';
import { modelCommand } from '../../coordinator/src/commands/model.js';
import { retentionCommand } from '../../coordinator/src/commands/retention.js';
import { updateCommand } from '../../coordinator/src/commands/update.js';
import { modelCommand as siteModelCommand } from '../../site-agent/src/commands/model.js';
import { siteFolder } from '../../site-agent/src/config/site-folder.js';
import { saveIdentity } from '../../site-agent/src/config/site-identity.js';
import { blobPath, enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, RawSite } from '../fixtures/raw-site.js';
import { runCommand } from '../fixtures/run-command.js';
import { describeWithObjectStore } from '../fixtures/start-object-store.js';
import { describeOnEachDatabase } from '../fixtures/start-postgres.js';

const ROUNDS = 4;
/** Everything goes that may: updates as soon as their round is over, all versions but the newest. */
const STRICT = { retainUpdates: '1ms', retainUpdateRounds: '0', retainHeldBack: '1ms', retainVersions: '1' };
const DAY_MS = 86_400_000;
const NAMES = ['site-a', 'site-b'];

/** What `site-agent model list` says at a site that has no version yet. */
async function listAtSite({ name, credential }: RawSite, coordinatorUrl: string): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'retention-site-'));
  try {
    saveIdentity(siteFolder(home), { siteId: name, siteName: name, coordinatorUrl, credential });
    const program = new Command().option('--home <folder>').addCommand(siteModelCommand());
    return await runCommand(program, ['--home', home, 'model', 'list']);
  } finally {
    await rm(home, { recursive: true });
  }
}

async function deliverRound(sites: readonly RawSite[], round: number): Promise<void> {
  for (const [index, site] of sites.entries())
    await site.deliver(await site.trainAssignment(round), constantUpdate(MODEL, (index + 1) / (8 * round)), 10 + index);
}

const versions = async (coordinator: TestCoordinator): Promise<VersionView[]> =>
  z.array(versionViewSchema).parse(await askOperator(coordinator, 'GET', '/api/campaigns/lungs/versions'));
const view = async (coordinator: TestCoordinator): Promise<RetentionView> =>
  retentionViewSchema.parse(await askOperator(coordinator, 'GET', '/api/retention'));
const apply = async (coordinator: TestCoordinator, order: object = {}): Promise<RetentionAnswer> =>
  retentionAnswerSchema.parse(await askOperator(coordinator, 'POST', '/api/retention/apply', order));

/** The newest version once the round has made it. */
const madeBy = (coordinator: TestCoordinator, round: number): Promise<Digest> =>
  eventually(async () => {
    const { version } = await campaignView(coordinator, 'lungs');
    return version.number === round + 1 ? version.digest : undefined;
  });

/** Applies the rules until nothing is left to do: the clock must have passed the millisecond in which a round ended. */
async function settle(coordinator: TestCoordinator): Promise<void> {
  await eventually(async () => {
    await apply(coordinator);
    const { shelves, filesToRemove } = await view(coordinator);
    return filesToRemove === 0 && shelves.every(({ going }) => going.count === 0) ? true : undefined;
  });
}

async function everyUpdateDigest(coordinator: TestCoordinator): Promise<Digest[]> {
  return z
    .array(updateViewSchema)
    .parse(await askOperator(coordinator, 'GET', '/api/updates'))
    .map(({ digest }) => digest);
}

/** Follows the whole audit log; returns how often each kind is in it. */
async function auditKinds(coordinator: TestCoordinator): Promise<Record<string, number>> {
  const { entries } = auditPageSchema.parse(await askOperator(coordinator, 'GET', '/api/audit'));
  const read = async function* () {
    yield* entries;
  };
  await followAudit(read());
  const counts: Record<string, number> = {};
  for (const { kind } of entries) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** The lineage of every version, as anybody can check it. */
async function lineage(coordinator: TestCoordinator): Promise<FederatedPassport['lineage']> {
  let longest: FederatedPassport['lineage'] = [];
  for (const { number, digest } of await versions(coordinator)) {
    const passport = verifyPassport(await askOperator(coordinator, 'GET', `/api/campaigns/lungs/versions/${number}/passport`));
    if (passport.kind !== 'federated') throw new Error('made by a federation');
    expect([passport.model.digest, passport.lineage.length]).toEqual([digest, number]);
    longest = passport.lineage;
  }
  return longest;
}

describeOnEachDatabase('retention', (newDatabase) => {
  let coordinator: TestCoordinator;
  let database: string | undefined;
  const sites: RawSite[] = [];
  const open = async (settings: Record<string, string>, blobs?: (store: BlobStore) => BlobStore): Promise<void> => {
    database = await newDatabase();
    coordinator = await TestCoordinator.open({ database, settings, ...(blobs && { blobs }) });
    sites.push(...(await enrolSites(coordinator, ...NAMES)));
    const campaign = { rounds: ROUNDS, attempts: 1, recipe: { name: 'fedadam' } };
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', campaign));
  };
  const close = async (): Promise<void> => {
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
  };
  const reconnect = async (to: TestCoordinator): Promise<void> => {
    const known = sites.splice(0).map(({ name, credential }) => RawSite.known(to, name, credential));
    for (const site of known) await site.connect();
    sites.push(...known);
  };
  const command = (...words: string[]) =>
    runCommand(retentionCommand(), [...words, '--home', coordinator.home, '--url', coordinator.url]);

  it('changes no bytes of what comes, breaks no lineage, and survives backup and restore', async () => {
    await open({ retainUpdates: 'all', retainHeldBack: 'all' });
    const undisturbed: Digest[] = [];
    for (let round = 1; round <= ROUNDS; round++) {
      await deliverRound(sites, round);
      undisturbed.push(await madeBy(coordinator, round));
    }
    const expected = await lineage(coordinator);
    expect((await apply(coordinator)).dropped).toEqual([]);
    await close();

    await open(STRICT);
    const folder = await mkdtemp(join(tmpdir(), 'retained-'));
    try {
      for (let round = 1; round < ROUNDS; round++) {
        await deliverRound(sites, round);
        expect(await madeBy(coordinator, round)).toBe(undisturbed[round - 1]);
        await settle(coordinator);
      }
      for (const digest of await everyUpdateDigest(coordinator)) expect(existsSync(blobPath(coordinator, digest))).toBe(false);
      const listed = await versions(coordinator);
      expect(listed.map(({ digest }) => existsSync(blobPath(coordinator, digest)))).toEqual([false, false, false, true]);
      expect(listed.map(({ droppedAtMs }) => droppedAtMs === undefined)).toEqual([false, false, false, true]);
      expect(await lineage(coordinator)).toEqual(expected.slice(0, ROUNDS));
      expect(await auditKinds(coordinator)).toMatchObject({ 'update-dropped': 6, 'version-dropped': 3 });

      await runCommand(backupCommand(), [folder, '--json', '--home', coordinator.home, '--url', coordinator.url]);
      const again = join(folder, 'again');
      await mkdir(again);
      const place = await newDatabase();
      await writeFile(join(again, 'coordinator.yaml'), place === undefined ? '' : `database: ${place}\n`);
      await runCommand(restoreCommand(), [folder, '--home', again]);
      const restored = await TestCoordinator.openIn(again, { database: place, settings: STRICT });
      await reconnect(restored);
      await deliverRound(sites, ROUNDS);
      expect(await madeBy(restored, ROUNDS)).toBe(undisturbed[ROUNDS - 1]);
      expect(await lineage(restored)).toEqual(expected);
      for (const site of sites.splice(0)) site.disconnect();
      await restored.remove();
    } finally {
      await rm(folder, { recursive: true });
      await close();
    }
  }, 120_000);

  it('refuses dropped bytes with a code and a remedy, and tells everything else as before', async () => {
    await open({ ...STRICT, retainVersions: '1' });
    try {
      await deliverRound(sites, 1);
      await madeBy(coordinator, 1);
      await settle(coordinator);
      const [first] = await versions(coordinator);
      const access = ['--home', coordinator.home, '--url', coordinator.url];
      const pulled = runCommand(modelCommand(), ['pull', 'lungs', '--version', '1', '--output', '/dev/null', ...access]);
      await expect(pulled).rejects.toMatchObject({
        code: 'WEIGHTS_DROPPED',
        remedy: expect.stringContaining('backup') as string,
      });
      const refused = await sites[0]?.download(first?.digest ?? 'sha256:');
      expect([refused?.status, ((await refused?.json()) as { code: string }).code]).toEqual([410, 'WEIGHTS_DROPPED']);
      const atSite = await listAtSite(sites[0] as RawSite, coordinator.url);
      expect(atSite).toMatch(/^lungs +1 .*dropped by the coordinator$/m);
      expect(atSite).toMatch(/^lungs +2 .*at the coordinator$/m);
      // A backup that was begun before is told, and reads the records again.
      const backup = askOperator(coordinator, 'GET', `/api/backup/blobs/${first?.digest ?? ''}`);
      await expect(backup).rejects.toThrow('WEIGHTS_DROPPED');
      const late = runCommand(modelCommand(), ['pin', 'lungs', '--version', '1', '--as', 'too-late', ...access]);
      await expect(late).rejects.toMatchObject({ code: 'WEIGHTS_DROPPED' });
      expect(await runCommand(modelCommand(), ['list', 'lungs', ...access])).toMatch(/^1 .*dropped$/m);
      expect(await runCommand(modelCommand(), ['show', 'lungs', '--version', '1', ...access])).toContain('no bytes since');
      expect(await runCommand(updateCommand(), ['list', ...access])).toMatch(/dropped/);
      const shown = await command('show');
      expect(shown).toMatch(/^versions +the newest 1 of each campaign/m);
      expect(shown).toMatch(/lungs +updates +– +– +2 \(/);
      expect(shown).toMatch(/lungs +versions +1 \(.*\) +– +1 \(/);
    } finally {
      await close();
    }
  }, 60_000);

  it('keeps pinned versions, those of every so many-th round, and what the rules do not name', async () => {
    await open({ retainVersions: '1', retainVersionEvery: '2' });
    try {
      const access = ['--home', coordinator.home, '--url', coordinator.url];
      await runCommand(modelCommand(), ['pin', 'lungs', '--version', '1', '--as', 'start', ...access]);
      for (let round = 1; round < ROUNDS; round++) {
        await deliverRound(sites, round);
        await madeBy(coordinator, round);
      }
      await settle(coordinator);
      const dropped = async () =>
        (await versions(coordinator)).flatMap((one) => (one.droppedAtMs === undefined ? [] : [one.number]));
      expect(await dropped()).toEqual([2]);
      expect((await versions(coordinator))[0]?.pin).toBe('start');
      // Updates of these rounds are young.
      const updates = (await view(coordinator)).shelves.find(({ kind }) => kind === 'updates');
      expect(updates?.held.count).toBe(6);
      const headers = { authorization: `Bearer ${coordinator.operatorToken}` };
      const figures = await (await fetch(`${coordinator.url}/metrics`, { headers })).text();
      for (const { kind, held } of (await view(coordinator)).shelves)
        expect(figures).toContain(`consilium_weights_bytes{kind="${kind}"} ${held.bytes}\n`);
      await runCommand(modelCommand(), ['unpin', 'lungs', '--version', '1', ...access]);
      const foreseen = JSON.parse(await command('apply', '--dry-run', '--json')) as RetentionAnswer;
      expect(foreseen).toMatchObject({ dryRun: true, dropped: [{ campaignName: 'lungs', kind: 'versions', count: 1 }] });
      expect(await dropped()).toEqual([2]);
      expect(await command('apply')).toContain('1 files were removed');
      expect(await dropped()).toEqual([1, 2]);
      expect(await command('apply')).toBe('Nothing was to go.');
      expect(await auditKinds(coordinator)).toMatchObject({ 'version-pinned': 1, 'version-unpinned': 1, 'version-dropped': 2 });
    } finally {
      await close();
    }
  }, 60_000);

  it('takes up a deletion that a crash cut off, and removes nothing that a later row needs', async () => {
    const broken = { isAway: true };
    await open(STRICT, (store) => ({
      write: (...call) => store.write(...call),
      adopt: (...call) => store.adopt(...call),
      place: (...call) => store.place(...call),
      has: (digest) => store.has(digest),
      localPath: (digest) => store.localPath(digest),
      remove: (digest) => (broken.isAway ? Promise.reject(new Error('gone in the midst of it')) : store.remove(digest)),
    }));
    try {
      await deliverRound(sites, 1);
      await madeBy(coordinator, 1);
      await eventually(async () => {
        await apply(coordinator).catch(() => undefined);
        return (await view(coordinator)).filesToRemove === 3 ? true : undefined;
      });
      const [first] = await versions(coordinator);
      const path = blobPath(coordinator, first?.digest ?? '');
      expect([first?.droppedAtMs === undefined, existsSync(path)]).toEqual([false, true]);
      // The same start again: its bytes are needed once more, by another campaign's row.
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('again', { rounds: 1 }));
      await coordinator.stop();
      broken.isAway = false;
      await coordinator.start();
      await reconnect(coordinator);
      await eventually(async () => ((await view(coordinator)).filesToRemove === 0 ? true : undefined));
      expect(existsSync(path)).toBe(true);
      for (const digest of await everyUpdateDigest(coordinator)) expect(existsSync(blobPath(coordinator, digest))).toBe(false);
      expect(await auditKinds(coordinator)).toMatchObject({ 'update-dropped': 2, 'version-dropped': 1 });
      // The earlier campaign's version stays dropped; the later one's is served.
      const content = (name: string) =>
        fetch(`${coordinator.url}/api/campaigns/${name}/versions/1/content`, {
          headers: { authorization: `Bearer ${coordinator.operatorToken}` },
        });
      expect([(await content('lungs')).status, (await content('again')).status]).toEqual([410, 200]);
    } finally {
      await close();
    }
  }, 60_000);

  it('drops held-back updates by their own number, after which none can be released', async () => {
    await open({ ...STRICT, retainHeldBack: 'all' });
    try {
      const [a, b] = sites;
      if (a === undefined || b === undefined) throw new Error('two sites');
      await b.deliver(await b.trainAssignment(1), constantUpdate(MODEL, 0.5), 10);
      await a.deliver(await a.trainAssignment(1), constantUpdate(MODEL, Number.NaN), 10);
      await eventually(async () => ((await campaignView(coordinator, 'lungs')).state === 'failed' ? true : undefined));
      await settle(coordinator);
      // The other one waits for the round to be tried again.
      const held = (await view(coordinator)).shelves.map(({ kind, held: { count } }) => [kind, count]);
      expect(held).toEqual([
        ['updates', 1],
        ['held-back', 1],
        ['versions', 1],
      ]);
      await coordinator.stop();
      coordinator = await TestCoordinator.openIn(coordinator.home, { database, settings: STRICT });
      await settle(coordinator);
      const kept = (await view(coordinator)).shelves.find(({ kind }) => kind === 'held-back');
      expect([kept?.held.count, kept?.dropped.count]).toEqual([0, 1]);
      const [update] = z.array(updateViewSchema).parse(await askOperator(coordinator, 'GET', '/api/updates?state=quarantined'));
      const released = askOperator(coordinator, 'POST', `/api/updates/${update?.participationId}/release`, { operator: 'ada' });
      await expect(released).rejects.toThrow('WEIGHTS_DROPPED');
    } finally {
      await close();
    }
  }, 60_000);

  it('goes on daily by itself', async () => {
    let [aheadMs, daily] = [0, (): void => undefined];
    const clock = {
      ...systemClock,
      nowMs: () => Date.now() + aheadMs,
      every: (intervalMs: number, run: () => void) => {
        if (intervalMs === DAY_MS) daily = run;
        return systemClock.every(intervalMs, run);
      },
    };
    const settings = { ...STRICT, retainUpdates: '1d' };
    coordinator = await TestCoordinator.open({ database: await newDatabase(), settings, clock });
    sites.push(...(await enrolSites(coordinator, ...NAMES)));
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1 }));
    try {
      await deliverRound(sites, 1);
      await madeBy(coordinator, 1);
      daily();
      expect((await view(coordinator)).shelves[0]).toMatchObject({ held: { count: 2 }, dropped: { count: 0 } });
      aheadMs = DAY_MS;
      daily();
      await eventually(async () => ((await view(coordinator)).shelves[0]?.dropped.count === 2 ? true : undefined));
    } finally {
      await close();
    }
  }, 60_000);
});

describeWithObjectStore('retention in an object store', (objects) => {
  it('removes the objects too, and goes on', async () => {
    const bucket = await objects().createBucket();
    const settings = { ...STRICT, blobs: `s3://${bucket}/federation`, s3Endpoint: objects().endpoint };
    const coordinator = await TestCoordinator.open({ settings });
    const sites = await enrolSites(coordinator, ...NAMES);
    try {
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 2 }));
      await deliverRound(sites, 1);
      await madeBy(coordinator, 1);
      await settle(coordinator);
      const newest = (await campaignView(coordinator, 'lungs')).version.digest.split(':')[1] ?? '';
      expect(await objects().keysIn(bucket)).toEqual([expect.stringContaining(newest)]);
      await deliverRound(sites, 2);
      await madeBy(coordinator, 2);
    } finally {
      for (const site of sites) site.disconnect();
      await coordinator.remove();
    }
  }, 60_000);
});
