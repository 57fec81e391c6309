import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfFile } from '@consilium/shared/kernel';
import { newSigningKey, readKeyFile, signerOf } from '@consilium/shared/identity';
import { DATA_PATHS, type FederatedPassport, sealed, verifyModelFile, verifyPassport } from '@consilium/shared/wire';
import { Command } from 'commander';
import { AgentJournal } from '../../site-agent/src/agent/agent-journal.js';
import { modelCommand } from '../../site-agent/src/commands/model.js';
import { noteCoordinatorKey } from '../../site-agent/src/config/coordinator-keys.js';
import { modelFile, siteFolder, type SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { pullVersion } from '../../site-agent/src/versions/pull-version.js';
import { parseVersionName } from '../../site-agent/src/versions/version-name.js';
import { BearerIdentity } from '../../site-agent/src/link/request-identity.js';
import { enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { runCommand } from '../fixtures/run-command.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, constantUpdate, eventually, campaignView, type RawSite } from '../fixtures/raw-site.js';

describe('model versions as a site sees them', () => {
  let coordinator: TestCoordinator;
  let home: string;
  let folder: SiteFolder;
  let journal: AgentJournal;
  let sites: RawSite[] = [];

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
    home = await mkdtemp(join(tmpdir(), 'versions-'));
    folder = siteFolder(home);
    journal = AgentJournal.open(folder.databaseFile);
  });

  afterEach(async () => {
    for (const site of sites) site.disconnect();
    journal.close();
    await coordinator.remove();
    await rm(home, { recursive: true });
  });

  /** One finished round of two sites; the third stays outside. */
  async function runRound(): Promise<[RawSite, RawSite, RawSite]> {
    sites = await enrolSites(coordinator, 'site-a', 'site-b', 'outsider');
    const [a, b, outsider] = sites as [RawSite, RawSite, RawSite];
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { sites: ['site-a', 'site-b'], rounds: 1 }));
    await a.deliver(await a.trainAssignment(1), constantUpdate(MODEL, 0.5), 10);
    await b.deliver(await b.trainAssignment(1), constantUpdate(MODEL, -0.25), 30);
    const view = await eventually(async () => {
      const now = await campaignView(coordinator, 'lungs');
      return now.version.number === 2 ? now : undefined;
    });
    const score = await eventually(async () => {
      const assignment = await a.sync();
      return assignment?.kind === 'score' ? assignment : undefined;
    });
    await a.reportScore(score.plan.campaignId, view.version.digest);
    return [a, b, outsider];
  }

  const ask = async (site: RawSite, path = ''): Promise<Response> =>
    fetch(`${coordinator.url}${DATA_PATHS.campaigns}${path}`, { headers: { authorization: `Bearer ${site.credential}` } });
  const pull = (site: RawSite, name: string) =>
    pullVersion(
      parseVersionName(name),
      {
        folder,
        journal,
        access: { coordinatorUrl: coordinator.url, identity: new BearerIdentity(site.credential) },
        nowMs: 1000,
      },
      { signal: AbortSignal.timeout(20_000) },
    );

  it('lists the campaigns that the site takes part in, with its own scores and nobody else’s', async () => {
    const [a, b, outsider] = await runRound();
    const [lungs] = await a.catalogue();
    expect(lungs?.versions.map(({ number, score }) => [number, score?.skill])).toEqual([
      [1, 0.5],
      [2, 0.5],
    ]);
    // b told of version 1 with its update, and has not scored version 2.
    expect((await b.catalogue())[0]?.versions.map(({ score }) => score === null)).toEqual([false, true]);
    expect(await outsider.catalogue()).toEqual([]);
    const refused = await ask(outsider, `/${lungs?.id}/versions/2/passport`);
    expect([refused.status, await refused.json()]).toMatchObject([404, { code: 'NOT_FOUND' }]);
    const unknown = await fetch(`${coordinator.url}${DATA_PATHS.campaigns}`, { headers: { authorization: 'Bearer nobody' } });
    expect(unknown.status).toBe(401);
  });

  it('issues a passport whose history anybody can check, the same to operators and sites, without a site’s name', async () => {
    const [a] = await runRound();
    const [lungs] = await a.catalogue();
    const text = await (await ask(a, `/${lungs?.id}/versions/2/passport?signed=yes`)).text();
    const passport = verifyPassport(JSON.parse(text)) as FederatedPassport;
    expect(passport.lineage.map(({ round }) => round && [round.sites, round.patches])).toEqual([null, [2, 40]]);
    expect(passport.model).toMatchObject({ digest: lungs?.versions[1]?.digest, digestAlgorithm: 'blake3', spec: MODEL });
    expect(passport.scores).toEqual([
      { number: 1, sites: 2, meanSkill: 0.5, meanRestorationError: 0.02 },
      { number: 2, sites: 1, meanSkill: 0.5, meanRestorationError: 0.02 },
    ]);
    expect(text).not.toMatch(/site-a|site-b/);
    expect(await askOperator(coordinator, 'GET', '/api/campaigns/lungs/versions/2/passport')).toEqual(passport);
    const earlier = verifyPassport(await askOperator(coordinator, 'GET', '/api/campaigns/lungs/versions/1/passport'));
    expect((earlier as FederatedPassport).lineage).toEqual(passport.lineage.slice(0, 1));
  });

  it('pulls a version with its passport, keeps what has arrived, and mends what is damaged', async () => {
    const [a] = await runRound();
    const pulled = await pull(a, 'lungs');
    expect(pulled).toMatchObject({ number: 2, fetched: true, path: modelFile(folder, pulled.digest) });
    expect(await digestOfFile(pulled.path, 'blake3')).toBe(pulled.digest);
    expect((await verifyModelFile(pulled.path)).passport.model.digest).toBe(pulled.digest);
    expect(journal.versions()).toMatchObject([{ campaignName: 'lungs', number: 2, digest: pulled.digest }]);
    expect(await pull(a, 'lungs@2')).toMatchObject({ fetched: false });

    const first = await pull(a, 'lungs@1');
    const whole = readFileSync(first.path);
    await rm(first.path);
    writeFileSync(`${first.path}.pulled.partial`, whole.subarray(0, 500));
    expect(await pull(a, 'lungs@1')).toMatchObject({ fetched: true });
    expect(Buffer.compare(readFileSync(first.path), whole)).toBe(0);
    expect(existsSync(`${first.path}.pulled.partial`)).toBe(false);

    const damaged = Buffer.from(whole);
    damaged[damaged.length - 1] = 0xff ^ (damaged.at(-1) as number);
    writeFileSync(first.path, damaged);
    await expect(verifyModelFile(first.path)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    expect(await pull(a, 'lungs@1')).toMatchObject({ fetched: true });
    expect((await verifyModelFile(first.path)).digest).toBe(first.digest);
    expect(statSync(first.path).size).toBe(first.bytes);
  });

  it('signs passports, and to agents of before gives them without', async () => {
    const [a] = await runRound();
    const [lungs] = await a.catalogue();
    const path = `/${lungs?.id}/versions/2/passport`;
    const passport = verifyPassport(await (await ask(a, `${path}?signed=yes`)).json()) as FederatedPassport;
    const own = readKeyFile(join(coordinator.home, 'coordinator.key'))?.thumbprint;
    expect((await signerOf(passport))?.thumbprint).toBe(own);
    const unsigned = without('signature', passport);
    expect(await (await ask(a, path)).json()).toEqual(unsigned);
    // Another history under the same signature: its seal is another.
    const forged = { ...passport, ...sealed({ ...without('seal', unsigned), software: { coordinator: 'other' } }) };
    expect(verifyPassport(forged)).toBeDefined();
    await expect(signerOf(forged)).rejects.toMatchObject({ code: 'PASSPORT_INVALID' });
  });

  it('pulls only what the coordinator has signed that the site has joined', async () => {
    const [a] = await runRound();
    await pull(a, 'lungs@1'); // a site that has been told no key yet
    noteCoordinatorKey(folder, newSigningKey().thumbprint, 1);
    await expect(pull(a, 'lungs')).rejects.toMatchObject({ code: 'PASSPORT_INVALID' });
    noteCoordinatorKey(folder, readKeyFile(join(coordinator.home, 'coordinator.key'))?.thumbprint ?? '', 2);
    const { path, passportPath } = await pull(a, 'lungs');

    const verify = (...flags: string[]): Promise<string> =>
      runCommand(new Command().option('--home <folder>').addCommand(modelCommand()), [
        ...['--home', home, 'model', 'verify', path],
        ...flags,
      ]);
    expect(await verify('--signed')).toContain('(a key that is known here)');
    await expect(verify('--key', newSigningKey().thumbprint)).rejects.toMatchObject({ code: 'PASSPORT_INVALID' });
    const unsigned = without('signature', JSON.parse(readFileSync(passportPath, 'utf8')) as FederatedPassport);
    const { model, software } = unsigned;
    const source = { digest: model.digest, form: 'pytorch-zip', leftBehind: 0 };
    // Nor does a sound passport of another kind, which nobody signs, pass for one that was signed.
    for (const other of [unsigned, sealed({ format: 1, kind: 'imported', model, source, software })]) {
      writeFileSync(passportPath, JSON.stringify(other));
      expect(await verify()).toContain('nobody: only the seals could be checked');
      await expect(verify('--signed')).rejects.toMatchObject({ code: 'PASSPORT_INVALID' });
    }
  });

  it('pulls nothing that is not offered', async () => {
    const [a, , outsider] = await runRound();
    await expect(pull(a, 'lungs@3')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(pull(outsider, 'lungs')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

function without<T extends object, Name extends keyof T>(name: Name, whole: T): Omit<T, Name> {
  return Object.fromEntries(Object.entries(whole).filter(([other]) => other !== name)) as Omit<T, Name>;
}
