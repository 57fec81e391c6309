import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Digest, digestOfBytes, digitsOf } from '@consilium/shared/kernel';
import { rebuildVersion } from '@consilium/shared/weights';
import type { CampaignView, VersionDelta } from '@consilium/shared/wire';
import { modelFile, siteFolder } from '../../site-agent/src/config/site-folder.js';
import { enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, eventually, type RawSite } from '../fixtures/raw-site.js';
import { type AgentRun, RunningAgent } from '../fixtures/run-agent.js';

describe('versions that are defined by a delta, over the wire', () => {
  let coordinator: TestCoordinator;
  let folder: string;
  const sites: RawSite[] = [];
  const agents: RunningAgent[] = [];

  const start = (fields: Record<string, unknown>): Promise<unknown> =>
    askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { quorum: 1, ...fields }));
  const fetched = async (site: RawSite, digest: Digest): Promise<Buffer> =>
    Buffer.from(await (await site.download(digest)).arrayBuffer());

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
    folder = await mkdtemp(join(tmpdir(), 'deltas-'));
  });

  afterEach(async () => {
    for (const site of sites.splice(0)) site.disconnect();
    for (const agent of agents.splice(0)) await agent.stop();
    await coordinator.remove();
    await rm(folder, { recursive: true });
  });

  async function enrolTwo(): Promise<[RawSite, RawSite]> {
    const [site, other] = await enrolSites(coordinator, 'site-a', 'outsider');
    if (site === undefined || other === undefined) throw new Error('two sites');
    sites.push(site, other);
    return [site, other];
  }

  it.each([
    ['f16', 0.501],
    ['bf16', 0.501],
    ['int8', 0.26],
  ])('%s: the first base comes whole, the second also as what makes it of the first', async (format, share) => {
    const [site, outsider] = await enrolTwo();
    await start({ sites: ['site-a'], updates: { format }, rounds: 2 });
    const first = await site.trainAssignment(1);
    expect(first.plan.baseDelta).toBeUndefined();
    await site.deliver(first, constantUpdate(MODEL, 0.123), 4);

    const { base, baseDelta } = (await site.trainAssignment(2)).plan;
    expect(baseDelta).toMatchObject({ parent: first.plan.base.digest });
    const { parent, digest, bytes } = baseDelta as VersionDelta;
    const delta = await fetched(site, digest);
    expect([delta.length, digestOfBytes(delta, 'blake3')]).toEqual([bytes, digest]);
    // Headers aside, which this smallest of models makes large: they do not grow with the weights.
    const headerOf = (file: Buffer): number => 8 + Number(file.readBigUInt64LE());
    const whole = await fetched(site, base.digest);
    expect([whole.length, digestOfBytes(whole, 'blake3')]).toEqual([base.bytes, base.digest]);
    const weights = (whole.length - headerOf(whole)) / 4;
    expect((delta.length - headerOf(delta)) / (4 * weights)).toBeLessThan(share);

    const [parentPath, deltaPath, path] = [join(folder, 'parent'), join(folder, 'delta'), join(folder, 'made')];
    await writeFile(parentPath, await fetched(site, parent));
    await writeFile(deltaPath, delta);
    await rebuildVersion({ parentPath, deltaPath, digest: base.digest, path, signal: new AbortController().signal });
    expect(Buffer.compare(await readFile(path), whole)).toBe(0);
    const refused = await outsider.download(digest);
    expect([refused.status, await refused.json()]).toMatchObject([404, { code: 'NOT_FOUND' }]);

    await site.deliver(await site.trainAssignment(2), constantUpdate(MODEL, 0.1), 4);
    const score = await eventually(async () => {
      const assignment = await site.sync();
      return assignment?.kind === 'score' ? assignment.plan : undefined;
    });
    expect(score).toMatchObject({ version: { number: 3 }, baseDelta: { parent: base.digest } });
  });

  it.each([
    ['f32', {}],
    ['f16, downloads whole', { download: 'whole' }],
  ])('%s: nothing but whole versions', async (format, more) => {
    const [site] = await enrolTwo();
    await start({ sites: ['site-a'], updates: { format: format.slice(0, 3), ...more }, rounds: 2 });
    await site.deliver(await site.trainAssignment(1), constantUpdate(MODEL, 0.123), 4);
    expect((await site.trainAssignment(2)).plan.baseDelta).toBeUndefined();
  });

  describe('at an agent', () => {
    const fetches: Digest[] = [];
    let home: ReturnType<typeof siteFolder>;

    async function startAgent(more: Partial<AgentRun> = {}): Promise<RunningAgent> {
      const { token } = (await askOperator(coordinator, 'POST', '/api/sites', { name: 'aare' })) as { token: string };
      home = siteFolder(join(folder, 'aare'));
      fetches.length = 0;
      const run = { url: coordinator.url, token, siteName: 'aare', folder, constant: 0.25, ...more };
      const agent = await RunningAgent.start({ ...run, onFetch: (digest) => fetches.push(digest) });
      agents.push(agent);
      await eventually(async () => (agent.board.current.connection === 'connected' ? true : undefined));
      return agent;
    }

    const until = (isThere: (view: CampaignView) => boolean): Promise<CampaignView> =>
      eventually(async () => {
        const view = await campaignView(coordinator, 'lungs');
        return isThere(view) ? view : undefined;
      });
    const versionsOf = ({ initialVersion, roundViews }: CampaignView): Digest[] => [
      initialVersion.digest,
      ...roundViews.flatMap(({ version }) => (version === null ? [] : [version.digest])),
    ];

    it('only the first version is fetched whole; the others are made here, and no delta stays', async () => {
      await startAgent();
      await start({ updates: { format: 'int8' }, rounds: 3 });
      for (let rounds = 1; rounds <= 3; rounds++) await until(({ finishedRounds }) => finishedRounds >= rounds);
      const versions = versionsOf(await until(({ state }) => state === 'finished'));
      expect(versions).toHaveLength(4);
      expect(fetches).toHaveLength(4);
      expect(fetches.filter((digest) => versions.includes(digest))).toEqual(versions.slice(0, 1));
      for (const digest of versions) {
        expect(digestOfBytes(await readFile(modelFile(home, digest)), 'blake3')).toBe(digest);
      }
      expect((await readdir(home.modelsFolder)).sort()).toEqual(
        versions.map((digest) => `${digitsOf(digest)}.safetensors`).sort(),
      );
    });

    it('a parent that was damaged in the meantime costs one fetch in vain and a whole version, and the next is made again', async () => {
      const agent = await startAgent({ scripts: ['hold'] });
      await start({ updates: { format: 'f16' }, rounds: 2 });
      await eventually(async () => (agent.trainer.orders.length === 1 ? true : undefined));
      const [first = 'sha256:'] = fetches;
      await damage(modelFile(home, first));
      agent.trainer.finishHeld();
      await until(({ finishedRounds }) => finishedRounds >= 1);
      const [, second, third] = versionsOf(await until(({ state }) => state === 'finished'));
      expect(fetches).toHaveLength(4);
      expect([fetches.indexOf(second as Digest), fetches.includes(third as Digest)]).toEqual([2, false]);
      for (const digest of [second, third] as Digest[]) {
        expect(digestOfBytes(await readFile(modelFile(home, digest)), 'blake3')).toBe(digest);
      }
    });

    it('a site that missed the parent fetches the version whole', async () => {
      const [site] = await enrolTwo();
      await startAgent({ volumesIn: (round) => (round === 1 ? 0 : 1) }); // it declines the first round
      await start({ sites: ['site-a', 'aare'], updates: { format: 'f16' }, rounds: 2, grace: '50ms' });
      await site.deliver(await site.trainAssignment(1), constantUpdate(MODEL, 0.123), 4);
      const [, second, third] = versionsOf(await until(({ state }) => state === 'scoring'));
      const isMade = (): Promise<boolean> =>
        readFile(modelFile(home, third as Digest)).then(
          () => true,
          () => false,
        );
      await eventually(async () => ((await isMade()) ? true : undefined));
      expect([fetches[0], fetches.includes(third as Digest), fetches.length]).toEqual([second, false, 2]);
    });
  });
});

async function damage(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 2) ^ 1, bytes.length - 2);
  await writeFile(file, bytes);
}
