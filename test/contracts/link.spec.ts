import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError, systemClock } from '@consilium/shared/kernel';
import { modelSpecSchema } from '@consilium/shared/models';
import { type CampaignView, campaignPlanSchema } from '@consilium/shared/wire';
import { Agent } from '../../site-agent/src/agent/agent.js';
import { AgentJournal } from '../../site-agent/src/agent/agent-journal.js';
import { initialStatus, StatusBoard } from '../../site-agent/src/agent/agent-status.js';
import { filesOf } from '../../site-agent/src/agent/site-files.js';
import { httpWeightTransfer } from '../../site-agent/src/agent/weight-transfer.js';
import { siteFolder } from '../../site-agent/src/config/site-folder.js';
import { joinSite } from '../../site-agent/src/link/join-site.js';
import { siteAccess } from '../../site-agent/src/link/site-access.js';
import { type SiteIdentity } from '../../site-agent/src/config/site-identity.js';
import { SocketLink } from '../../site-agent/src/link/socket-link.js';
import { silentLog } from '@consilium/shared/terminal';
import { CuttingProxy } from '../fixtures/cutting-proxy.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate } from '../fixtures/raw-site.js';
import { openRules } from '../fixtures/open-rules.js';
import { type Script, ScriptedTrainer } from '../fixtures/scripted-trainer.js';

const BACKOFF = { firstMs: 20, capMs: 100, floorMs: 5 };
/** Moves that 32-bit floats hold exactly, so that the mean does too. */
const DELTAS: Readonly<Record<string, number>> = { aare: 0.25, limmat: 0.75 };

interface RunningSite {
  readonly link: SocketLink;
  readonly trainer: ScriptedTrainer;
  readonly board: StatusBoard;
  readonly proxy: CuttingProxy;
  readonly finished: Promise<void>;
  stop(): Promise<void>;
}

describe('the site agent’s link and the coordinator', () => {
  let folder: string;
  let coordinator: TestCoordinator;
  const cleanUps: (() => Promise<unknown>)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'link-'));
    coordinator = await TestCoordinator.open();
  });

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    await coordinator.remove();
    await rm(folder, { recursive: true, force: true });
  });

  async function invite(name: string): Promise<string> {
    return ((await askOperator(coordinator, 'POST', '/api/sites', { name })) as { token: string }).token;
  }

  async function enrolSite(name: string): Promise<SiteIdentity> {
    return joinSite(siteFolder(join(folder, name)), coordinator.url, await invite(name));
  }

  async function startSite(name: string, identity: SiteIdentity, scripts: readonly Script[] = []): Promise<RunningSite> {
    const proxy = await CuttingProxy.open(Number(new URL(coordinator.url).port));
    const home = siteFolder(join(folder, name));
    const journal = AgentJournal.open(home.databaseFile);
    const access = siteAccess(home, identity, { coordinatorUrl: proxy.url });
    const link = new SocketLink({
      ...access,
      agentVersion: '0.1.0',
      backoff: BACKOFF,
      duplicateGraceMs: { first: 0, again: 5000 },
    });
    const trainer = new ScriptedTrainer(scripts, async ({ plan }) => constantUpdate(plan.model, DELTAS[name] ?? 0));
    const versions = { agent: '0.1.0', protocol: 1, node: '20' };
    const board = new StatusBoard(
      initialStatus({ siteName: name, coordinatorUrl: proxy.url, startedAtMs: 0, volumes: 1, versions }),
    );
    const transfer = httpWeightTransfer(access, { backoff: BACKOFF });
    const site = { clock: systemClock, journal, files: filesOf(home), limits: { threads: 1 } };
    const rules = openRules(home);
    const parts = { link, transfer, trainer, ...site, ...rules, board, log: silentLog };
    const agent = new Agent(parts, { syncEveryMs: 500, trainerRestarts: 1, countVolumes: () => 1, retry: BACKOFF });
    const stopping = new AbortController();
    const finished = agent.run(stopping.signal);
    finished.catch(() => undefined);
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopped ??= (async () => {
        stopping.abort();
        await finished.catch(() => undefined);
        rules.close();
        journal.close();
        await proxy.close();
      })();
      return stopped;
    };
    cleanUps.push(stop);
    return { link, trainer, board, proxy, finished, stop };
  }

  async function startCampaign(rounds: number): Promise<void> {
    const plan = campaignPlanSchema.parse({
      name: 'tiny',
      model: { architecture: 'genesis-unet3d', width: 4 },
      patch: { sizeVoxels: [16, 16, 8] },
      training: { steps: 10, batchSize: 2 },
      rounds,
      quorum: 2,
      grace: '5s',
      seed: 3,
    });
    await askOperator(coordinator, 'POST', '/api/campaigns', plan);
  }

  async function until(condition: () => boolean | Promise<boolean>, timeoutMs = 15_000): Promise<void> {
    const untilMs = Date.now() + timeoutMs;
    while (!(await condition())) {
      if (Date.now() > untilMs) throw new Error('it did not happen in time');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async function waitForEnd(): Promise<CampaignView> {
    let view: CampaignView | undefined;
    await until(async () => {
      view = await campaignView(coordinator, 'tiny').catch(() => undefined);
      return view?.state === 'finished';
    });
    if (view === undefined) throw new Error('seen a moment ago');
    return view;
  }

  function outcomes(view: CampaignView): unknown {
    return view.roundViews.map(({ version, participations }) => [
      version?.digest,
      participations.map(({ siteName, state, patches }) => [siteName, state, patches]),
    ]);
  }

  it('ends with the same versions over broken lines as over sound ones', async () => {
    const identities = { aare: await enrolSite('aare'), limmat: await enrolSite('limmat') };
    const aare = await startSite('aare', identities.aare);
    const limmat = await startSite('limmat', identities.limmat);
    await startCampaign(2);
    const sound = await waitForEnd();
    expect(sound.roundViews.map(({ participations }) => participations.map(({ state }) => state))).toEqual([
      ['delivered', 'delivered'],
      ['delivered', 'delivered'],
    ]);
    expect(sound.version.scores).toHaveLength(2);
    expect(aare.board.current).toMatchObject({ deliveredUpdates: 2, lastError: null });
    await aare.stop();
    await limmat.stop();

    await coordinator.remove();
    coordinator = await TestCoordinator.open();
    await rm(folder, { recursive: true });
    const again = { aare: await enrolSite('aare'), limmat: await enrolSite('limmat') };
    const cutUp = await startSite('aare', again.aare, ['hold']);
    const cutDown = await startSite('limmat', again.limmat, ['hold']);
    cutDown.proxy.cutAfter('down', 500_000); // in the middle of the first version
    await startCampaign(2);
    await until(() => cutUp.trainer.orders.length === 1 && cutDown.trainer.orders.length === 1);
    cutUp.proxy.cutAfter('up', 600_000); // in the middle of the first update
    cutDown.proxy.goDown(); // trains on without the coordinator
    cutUp.trainer.finishHeld();
    cutDown.trainer.finishHeld();
    await until(() => cutUp.board.current.deliveredUpdates === 1);
    await coordinator.stop();
    await coordinator.start(); // on another port
    const port = Number(new URL(coordinator.url).port);
    cutUp.proxy.restore(port);
    cutDown.proxy.restore(port);
    expect(outcomes(await waitForEnd())).toEqual(outcomes(sound));
    expect(cutUp.trainer.orders.filter(({ kind }) => kind === 'pretrain')).toHaveLength(2);
    // One update is about 1.2 MB, and there were two: what was sent twice is less than what a cut can swallow.
    const update = constantUpdate(modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 4 }), 0).length;
    expect(cutUp.proxy.bytesUp).toBeLessThan(2 * update + 300_000);
  }, 60_000);

  it('reports a failure with its code, and the round goes on as its rules say', async () => {
    const aare = await startSite('aare', await enrolSite('aare'), [new FederationError('TRAINING_DIVERGED', 'NaN at step 3')]);
    await startSite('limmat', await enrolSite('limmat'));
    await startCampaign(1);
    await until(async () =>
      (await campaignView(coordinator, 'tiny')).roundViews.some(({ participations }) =>
        participations.some(({ state, code }) => state === 'failed' && code === 'TRAINING_DIVERGED'),
      ),
    );
    expect(aare.board.current.lastError?.code).toBe('TRAINING_DIVERGED');
  }, 30_000);

  it('refuses a second agent, a revoked site and a spent token, each with its code', async () => {
    const token = await invite('aare');
    const identity = await joinSite(siteFolder(join(folder, 'aare')), coordinator.url, token);
    await expect(joinSite(siteFolder(join(folder, 'other')), coordinator.url, token)).rejects.toMatchObject({
      code: 'TOKEN_REFUSED',
      remedy: expect.stringContaining('operator') as string,
    });
    const first = await startSite('aare', identity);
    await until(() => first.link.state.kind === 'connected');
    await cp(siteFolder(join(folder, 'aare')).keyFile, siteFolder(join(folder, 'copy-of-aare')).keyFile);
    const second = await startSite('copy-of-aare', identity);
    await expect(second.finished).rejects.toMatchObject({ code: 'SITE_ALREADY_CONNECTED' });
    expect(first.link.state.kind).toBe('connected');
    await askOperator(coordinator, 'POST', '/api/sites/aare/revoke');
    await expect(first.finished).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED', exitCode: 3 });
  }, 30_000);
});
