import { setTimeout as sleep } from 'node:timers/promises';
import type { CampaignView } from '../../shared/src/wire/index.js';
import { FederationRig, waitFor } from './federation-rig.js';

const CAMPAIGN = {
  name: 'tiny',
  model: { architecture: 'genesis-unet3d', width: 2 },
  patch: { sizeVoxels: [16, 16, 8] },
  training: { optimizer: { kind: 'adam', learningRate: 0.01 }, batchSize: 2, steps: 60, checkpointEverySteps: 5 },
  probe: { patches: 4 },
  rounds: 3,
  sites: ['alpha', 'beta'],
  quorum: 2,
  seed: 7,
};

async function prepareFederation(): Promise<FederationRig> {
  const rig = new FederationRig();
  await rig.startCoordinator();
  await rig.prepareSite('alpha', ['a1', 'a2']);
  await rig.prepareSite('beta', ['b1']);
  return rig;
}

function digests(campaign: CampaignView): (string | undefined)[] {
  return campaign.roundViews.map(({ version }) => version?.digest);
}

describe('a federation of real processes', () => {
  let undisturbed: CampaignView;

  it('pretrains over three rounds: versions, scores from every site, restoration that gets better', async () => {
    const rig = await prepareFederation();
    try {
      rig.startAgent('alpha');
      rig.startAgent('beta');
      await rig.startCampaign(CAMPAIGN);
      undisturbed = await rig.waitForCampaign('tiny', ({ state }) => state === 'finished');
      expect(undisturbed.roundViews.map(({ state }) => state)).toEqual(['finished', 'finished', 'finished']);
      expect(new Set(digests(undisturbed)).size).toBe(3);
      for (const { participations, version } of undisturbed.roundViews) {
        expect(participations.map(({ siteName, state, patches }) => [siteName, state, patches])).toEqual([
          ['alpha', 'delivered', 120],
          ['beta', 'delivered', 120],
        ]);
        expect(version?.scores.map(({ siteName }) => siteName).sort()).toEqual(['alpha', 'beta']);
      }
      const start = undisturbed.initialVersion.scores;
      for (const { siteName, score } of undisturbed.version.scores) {
        const before = start.find((known) => known.siteName === siteName)?.score;
        expect(score.restorationError).toBeLessThan(0.8 * (before?.restorationError ?? 0));
      }
      expect(await rig.killAgent('alpha', 'SIGTERM')).toBe(0);
      expect(await rig.killAgent('beta', 'SIGINT')).toBe(0);
      expect(await rig.killCoordinator('SIGTERM')).toBe(0);
    } finally {
      await rig.remove();
    }
  }, 180_000);

  it('ends with the same bytes when trainer, agent and coordinator are each killed with SIGKILL on the way', async () => {
    const rig = await prepareFederation();
    try {
      rig.startAgent('alpha');
      rig.startAgent('beta');
      await rig.startCampaign(CAMPAIGN);

      const trainer = await trainingPid(rig, 'alpha', 1);
      process.kill(trainer, 'SIGKILL');

      await trainingPid(rig, 'beta', 2);
      await rig.killAgent('beta', 'SIGKILL');
      await sleep(200);
      rig.startAgent('beta');

      await trainingPid(rig, 'alpha', 3);
      await rig.killCoordinator('SIGKILL');
      await sleep(500);
      await rig.startCoordinator();

      const disturbed = await rig.waitForCampaign('tiny', ({ state }) => state === 'finished');
      expect(digests(disturbed)).toEqual(digests(undisturbed));
      expect(disturbed.roundViews.flatMap(({ participations }) => participations.map(({ state }) => state))).toEqual(
        Array.from({ length: 6 }, () => 'delivered'),
      );
    } finally {
      await rig.remove();
    }
  }, 240_000);

  it('goes on after a coordinator was killed between rounds and no agent noticed anything but a pause', async () => {
    const rig = await prepareFederation();
    try {
      rig.startAgent('alpha');
      rig.startAgent('beta');
      await rig.startCampaign({ ...CAMPAIGN, rounds: 2 });
      await rig.waitForCampaign('tiny', ({ finishedRounds }) => finishedRounds === 1);
      await rig.killCoordinator('SIGKILL');
      await rig.startCoordinator();
      const campaign = await rig.waitForCampaign('tiny', ({ state }) => state === 'finished');
      expect(digests(campaign)).toEqual(digests(undisturbed).slice(0, 2));
    } finally {
      await rig.remove();
    }
  }, 180_000);
});

/** Waits until the site trains the round, some steps in, and gives its trainer's process id. */
async function trainingPid(rig: FederationRig, site: string, round: number): Promise<number> {
  let pid: number | null = null;
  let seen = '';
  await waitFor(
    `${site} to train round ${round}`,
    async () => {
      const status = await rig.status(site);
      seen = JSON.stringify(status);
      pid = status?.trainerPid ?? null;
      return status?.phase === 'training' && status.round === round && status.step >= 1 && pid !== null;
    },
    () => seen,
    90_000,
  );
  if (pid === null) throw new Error('a training site has a trainer');
  return pid;
}
