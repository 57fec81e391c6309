import { digestsOf } from './light-federation.js';
import { FederationRig, waitFor } from './federation-rig.js';
import type { CampaignView } from '../../shared/src/wire/index.js';

/** One round of the representation, two of the adversary, and the same again: only then does the adversary pull. */
const CAMPAIGN = {
  name: 'frozen',
  model: { architecture: 'universal-model', width: 2, norm: 'instance', scaleFeatures: 8 },
  objective: { kind: 'universal-model', adversary: { mode: 'frozen', subRounds: 2, patches: 60, warmUpShare: 0.5 } },
  patch: {
    sizeVoxels: [32, 32, 16],
    scales: {
      sizes: [
        [36, 36, 24],
        [32, 32, 16],
        [16, 16, 8],
      ],
    },
  },
  training: { optimizer: { kind: 'adam', learningRate: 0.003 }, batchSize: 3, steps: 25, checkpointEverySteps: 3 },
  probe: { patches: 6 },
  rounds: 6,
  sites: ['ct-clinic', 'mr-clinic'],
  quorum: 2,
  seed: 11,
};
const LIMIT_MS = 400_000;

/** The campaign under way at two sites with one modality each. */
async function inFederation(run: (rig: FederationRig) => Promise<void>): Promise<void> {
  const rig = new FederationRig();
  try {
    await rig.startCoordinator();
    await rig.prepareSite('ct-clinic', ['c1', 'c2'], 'CT');
    await rig.prepareSite('mr-clinic', ['m1'], 'MR');
    rig.startAgent('ct-clinic');
    rig.startAgent('mr-clinic');
    await rig.startCampaign(CAMPAIGN);
    await run(rig);
  } finally {
    await rig.remove();
  }
}

function finished(rig: FederationRig): Promise<CampaignView> {
  return rig.waitForCampaign('frozen', ({ state }) => state === 'finished', LIMIT_MS);
}

describe('frozen-adversary rounds of real processes, one modality per site', () => {
  let undisturbed: CampaignView;

  it(
    'move the representation and the adversary in turn',
    () =>
      inFederation(async (rig) => {
        undisturbed = await finished(rig);
        expect(new Set(digestsOf(undisturbed)).size).toBe(6);
        const { scores } = undisturbed.version;
        expect(scores.map(({ siteName, monitors }) => [siteName, monitors?.restoration.map(({ modality }) => modality)])).toEqual(
          [
            ['ct-clinic', ['CT']],
            ['mr-clinic', ['MR']],
          ],
        );
      }),
    LIMIT_MS,
  );

  it(
    'end with the same versions when trainers, an agent and the coordinator are killed with -9 in either kind of round',
    () =>
      inFederation(async (rig) => {
        process.kill(await trainingIn(rig, 'ct-clinic', 1), 'SIGKILL'); // representation
        process.kill(await trainingIn(rig, 'mr-clinic', 2), 'SIGKILL'); // adversary
        await trainingIn(rig, 'ct-clinic', 3);
        await rig.killCoordinator('SIGKILL');
        await rig.startCoordinator();
        await trainingIn(rig, 'mr-clinic', 5); // adversary
        await rig.killAgent('mr-clinic', 'SIGKILL');
        rig.startAgent('mr-clinic');
        expect(digestsOf(await finished(rig))).toEqual(digestsOf(undisturbed));
      }),
    LIMIT_MS,
  );
});

/** Waits until the site trains in this round and returns its trainer's process id. */
async function trainingIn(rig: FederationRig, site: string, round: number): Promise<number> {
  let pid: number | null = null;
  await waitFor(
    `${site} to train in round ${round}`,
    async () => {
      const status = await rig.status(site);
      if (status !== undefined && (status.round ?? 0) > round)
        throw new Error(`${site} is past round ${round}: it was not seen training`);
      pid = status?.phase === 'training' && status.round === round ? status.trainerPid : null;
      return pid !== null;
    },
    () => '',
    LIMIT_MS,
  );
  if (pid === null) throw new Error('the trainer was seen a moment ago');
  return pid;
}
