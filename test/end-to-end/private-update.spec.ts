import { readFileSync, rmSync, statSync } from 'node:fs';
import { readSafetensors } from '@consilium/shared/weights';
import type { PrivacyPlan } from '@consilium/shared/wire';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { CENTRAL, LOCAL } from '../fixtures/make-privacy.js';
import { pretrain, requireTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

describe('a trainer process under update privacy', () => {
  const world = new TrainerWorld();
  beforeAll(() => requireTrainer());
  afterAll(() => world.remove());

  async function normOf(path: string): Promise<number> {
    const { weights } = await readSafetensors(path);
    return Math.sqrt(weights.reduce((sum, { values }) => sum + values.reduce((part, x) => part + x * x, 0), 0));
  }

  it('clips, and in the local form noises by the site’s secret: the same bytes when a round is made again', async () => {
    const site = await world.site('one', ['a']);
    const plan = await world.plan({ steps: 2, optimizer: { kind: 'sgd', learningRate: 1, momentum: 0 } });
    const orderUnder = (privacy: PrivacyPlan | undefined, participationId: string) =>
      world.order(site, { ...plan, ...(privacy === undefined ? {} : { privacy }) }, participationId);
    const clipNorm = 0.5 * (await normOf((await pretrain(orderUnder(undefined, 'plain'))).updatePath));
    const central = await pretrain(orderUnder({ ...CENTRAL, clipNorm }, 'central'));
    const clipped = await normOf(central.updatePath);
    expect(clipped).toBeLessThanOrEqual(clipNorm);
    expect(clipped).toBeGreaterThan(0.999 * clipNorm);

    const order = orderUnder({ ...LOCAL, clipNorm }, 'local');
    const first = await pretrain(order);
    const { weights } = await readSafetensors(first.updatePath);
    const numbers = weights.reduce((sum, { values }) => sum + values.length, 0);
    expect((await normOf(first.updatePath)) / (4 * clipNorm * Math.sqrt(numbers))).toBeCloseTo(1, 1);
    expect(statSync(site.noiseSecretFile).mode & 0o777).toBe(0o600);
    expect(readFileSync(site.noiseSecretFile)).toHaveLength(32);
    // All that the first attempt left is lost, but not the secret.
    rmSync(roundFolder(site.roundsFolder, 'local').path, { recursive: true });
    expect((await pretrain(order)).digest).toBe(first.digest);
    rmSync(roundFolder(site.roundsFolder, 'local').path, { recursive: true });
    rmSync(site.noiseSecretFile);
    expect((await pretrain(order)).digest).not.toBe(first.digest);
  }, 240_000);
});
