import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { enrolSites, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, constantUpdate, enrolWith, eventually, RawSite } from '../fixtures/raw-site.js';
import { MODEL } from '../fixtures/made-campaign.js';
import { type AgentRun, RunningAgent } from '../fixtures/run-agent.js';
import { ScriptedCoordinator } from '../fixtures/sessions/scripted-coordinator.js';
import { readSession } from '../fixtures/sessions/session.js';

/** With protocol-1.spec.ts, agents and coordinators of both versions in all four pairs; the pair of two old ones was recorded. */
describe('protocol versions', () => {
  let folder: string;
  const cleanUps: (() => Promise<unknown> | void)[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'protocol-'));
  });

  afterEach(async () => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    await rm(folder, { recursive: true, force: true });
  });

  async function startAgent(run: Omit<AgentRun, 'folder'>): Promise<RunningAgent> {
    const agent = await RunningAgent.start({ ...run, folder });
    cleanUps.push(() => agent.stop());
    return agent;
  }

  async function openCoordinator(): Promise<TestCoordinator> {
    const coordinator = await TestCoordinator.open();
    cleanUps.push(() => coordinator.remove());
    return coordinator;
  }

  const invite = async (coordinator: TestCoordinator, name: string): Promise<string> =>
    ((await askOperator(coordinator, 'POST', '/api/sites', { name })) as { token: string }).token;

  const finish = async (coordinator: TestCoordinator, name: string) =>
    eventually(async () => {
      const now = await campaignView(coordinator, name);
      return now.state === 'finished' ? now : undefined;
    });

  describe('today’s agent and a coordinator of protocol 1', () => {
    const campaign = readSession('protocol-1/campaign.json');
    const refusals = readSession('protocol-1/refusals.json');

    it.each([
      { site: 'aare', constant: 0.5, delivered: 3, scripts: [] },
      { site: 'limmat', constant: -0.25, delivered: 1, scripts: [new FederationError('TRAINING_DIVERGED', 'NaN')] },
    ])(
      'finish the campaign together: $site',
      async ({ site, constant, delivered, scripts }) => {
        const coordinator = await ScriptedCoordinator.open(campaign, refusals, site);
        cleanUps.push(() => coordinator.close());
        const volumesIn = (round: number | undefined): number => (site === 'limmat' && round === 2 ? 0 : 1);
        const { url, token } = coordinator;
        const agent = await startAgent({ url, token, siteName: site, constant, scripts, volumesIn });
        await eventually(async () =>
          coordinator.expected.length === 0 && agent.board.current.phase === 'idle' ? true : undefined,
        );
        expect(coordinator.complaints).toEqual([]);
        // It introduces itself with its newest version once, and says once what both speak.
        expect(coordinator.handshakes).toEqual([2, 1]);
        expect(agent.protocols).toEqual([1]);
        expect(agent.board.current.deliveredUpdates).toBe(delivered);
      },
      30_000,
    );
  });

  describe('today’s agent and today’s coordinator', () => {
    it('speak the newest version, which plans may need', async () => {
      const coordinator = await openCoordinator();
      const token = await invite(coordinator, 'aare');
      const agent = await startAgent({ url: coordinator.url, token, siteName: 'aare', constant: 0.5 });
      const training = { steps: 2, minutes: 5 };
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { training, rounds: 2, quorum: 1 }));
      const view = await finish(coordinator, 'lungs');
      expect(view.roundViews.map(({ participations }) => participations[0]?.state)).toEqual(['delivered', 'delivered']);
      expect(agent.protocols).toEqual([2]);
      expect(agent.trainer.orders[0]).toMatchObject({ plan: { training } });
    }, 30_000);
  });

  describe('a coordinator with agents of both versions', () => {
    async function enrolBoth(coordinator: TestCoordinator): Promise<{ old: RawSite; agent: RunningAgent }> {
      const response = await enrolWith(coordinator, await invite(coordinator, 'old'), 1);
      const answer = (await response.json()) as { credential: string; protocolVersion: number };
      expect(answer.protocolVersion).toBe(1);
      const old = RawSite.known(coordinator, 'old', answer.credential);
      await old.connect(answer.credential, 1);
      cleanUps.push(() => old.disconnect());
      const token = await invite(coordinator, 'young');
      return { old, agent: await startAgent({ url: coordinator.url, token, siteName: 'young', constant: 0.5 }) };
    }

    it('declines for the old one what its protocol cannot carry, so that nobody waits for it', async () => {
      const coordinator = await openCoordinator();
      const { old } = await enrolBoth(coordinator);
      const training = { steps: 2, minutes: 5 };
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { training, rounds: 1, quorum: 1, grace: '1h' }));
      const declined = await eventually(async () => {
        expect(await old.sync()).toBeNull();
        const [round] = (await campaignView(coordinator, 'lungs')).roundViews;
        return round?.participations.find(({ state }) => state === 'declined');
      });
      expect(declined).toMatchObject({ siteName: 'old', code: 'PROTOCOL_VERSION' });
      // The grace of an hour would be waited for if the old site were still expected.
      await eventually(async () => ((await campaignView(coordinator, 'lungs')).finishedRounds === 1 ? true : undefined));
    }, 30_000);

    it('gives both of them a plan that both can read', async () => {
      const coordinator = await openCoordinator();
      const { old } = await enrolBoth(coordinator);
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { rounds: 1, digest: 'sha256' }));
      const assignment = await old.trainAssignment(1);
      await old.deliver(assignment, constantUpdate(MODEL, 0.25), 10);
      const view = await eventually(async () => {
        const now = await campaignView(coordinator, 'lungs');
        return now.finishedRounds === 1 ? now : undefined;
      });
      expect(view.roundViews[0]?.participations.map(({ state }) => state)).toEqual(['delivered', 'delivered']);
    }, 30_000);
  });

  describe('a connection', () => {
    const connect = async (coordinator: TestCoordinator, auth: object): Promise<{ welcomes: unknown[]; site: RawSite }> => {
      const [site] = await enrolSites(coordinator, 'site-a');
      if (site === undefined) throw new Error('one site');
      site.disconnect();
      cleanUps.push(() => site.disconnect());
      const welcomes: unknown[] = [];
      await eventually(async () => {
        try {
          return await site.connectWith({ ...auth, credential: site.credential, agentVersion: '9' }, (socket) =>
            socket.on('site:welcome', (welcome: unknown) => welcomes.push(welcome)),
          );
        } catch (error) {
          if (JSON.stringify(error).includes('SITE_ALREADY_CONNECTED')) return undefined;
          throw error;
        }
      });
      await site.sync();
      return { welcomes, site };
    };

    it.each([
      ['of protocol 1 is told nothing that it does not know', { protocolVersion: 1 }, []],
      [
        'of an agent that speaks more than we do takes our newest',
        { protocolVersion: 9, protocolVersions: { oldest: 2, newest: 9 } },
        [2],
      ],
      ['goes by the range where there is one', { protocolVersion: 1, protocolVersions: { oldest: 1, newest: 2 } }, [2]],
      ['may be held to the old version', { protocolVersion: 1, protocolVersions: { oldest: 1, newest: 1 } }, []],
    ])('%s', async (_name, auth, expected) => {
      const { welcomes } = await connect(await openCoordinator(), auth);
      expect(welcomes).toEqual(expected.map((protocolVersion) => ({ protocolVersion })));
    });

    it('without a common version is refused, with both sides’ versions', async () => {
      const coordinator = await openCoordinator();
      const attempt = connect(coordinator, { protocolVersion: 9, protocolVersions: { oldest: 3, newest: 9 } });
      await expect(attempt).rejects.toMatchObject({
        report: { code: 'PROTOCOL_VERSION', details: { theirs: 9, ours: 2, oldest: 1 } },
      });
      const refused = await enrolWith(coordinator, await invite(coordinator, 'site-b'), 9);
      expect([refused.status, await refused.json()]).toMatchObject([
        426,
        { code: 'PROTOCOL_VERSION', remedy: 'Upgrade the coordinator.' },
      ]);
    });

    it('tells the site’s rest in protocol 2 only', async () => {
      const coordinator = await openCoordinator();
      const { site } = await connect(coordinator, { protocolVersion: 2 });
      expect(await site.ask('site:sync', { restsForMs: 60_000 })).toMatchObject({ ok: true });
      expect(await site.ask('site:sync', { restsForMs: -1 })).toMatchObject({ ok: false, error: { code: 'MESSAGE_REFUSED' } });
    });
  });
});
