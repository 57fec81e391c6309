import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RoundPlan } from '@consilium/shared/wire';
import type { SiteFolder } from '../../site-agent/src/config/site-folder.js';
import type { PretrainOrder } from '../../site-agent/src/trainer/trainer-messages.js';
import { updateValues } from '../fixtures/compare-updates.js';
import { cosine } from '../fixtures/cosine.js';
import { describeWithGpu } from '../fixtures/describe-with-gpu.js';
import { asPretrainResult, eventually, pretrain, requireTrainer, startTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

describeWithGpu('training on a GPU', 1, () => {
  const { world, orderFor } = useClinic();

  it('makes the update that the processor makes, and says what it computes on', async () => {
    const plan = await world.plan({ steps: 5, batchSize: 4 });
    const processor = await pretrain(orderFor(plan, 'cpu', 'cpu'));
    const started = startTrainer(orderFor(plan, 'gpu', 'gpu', false));
    const gpu = asPretrainResult(await started.handle.finished);
    expect(started.announcements[0]).toMatch(/^computing on GPU \d+ /);
    expect(started.warnings).toEqual([]);
    expect(cosine([await updateValues(gpu), await updateValues(processor)])).toBeGreaterThan(0.999);
    const rough = await pretrain(orderFor(plan, 'tf32', 'gpu', true));
    expect(cosine([await updateValues(rough), await updateValues(processor)])).toBeGreaterThan(0.99);
  }, 300_000);

  it('is taken by itself', async () => {
    const started = startTrainer(orderFor(await world.plan({ steps: 1 }), 'auto', 'auto'));
    await started.handle.finished;
    expect(started.announcements[0]).toMatch(/^computing on GPU \d+ .*found by itself/);
  }, 300_000);

  it('gives the same bits again, also after a kill', async () => {
    const plan = await world.plan({ steps: 40, checkpointEverySteps: 4 });
    const calm = await pretrain(orderFor(plan, 'calm', 'gpu'));
    const order = orderFor(plan, 'killed', 'gpu');
    const { handle } = startTrainer(order);
    await eventually(() => hasCheckpoint(order), 120_000);
    process.kill(handle.pid ?? 0, 'SIGKILL');
    await handle.finished.catch(() => undefined);
    expect((await pretrain(order)).digest).toBe(calm.digest);
  }, 300_000);
});

describeWithGpu('training on two GPUs at once', 2, ([first, second]) => {
  const { world, orderFor } = useClinic();

  it('makes the update that one of them makes, and the same bits again', async () => {
    const plan = await world.plan({ steps: 5, batchSize: 4 });
    const one = await pretrain(orderFor(plan, 'one', `gpu:${first?.index}`, false));
    const both = `gpu:${first?.index},${second?.index}`;
    const started = startTrainer(orderFor(plan, 'two', both, false));
    const two = asPretrainResult(await started.handle.finished);
    expect(started.announcements).toContainEqual(expect.stringContaining('each batch of 4 is shared as 2 + 2'));
    expect(cosine([await updateValues(two), await updateValues(one)])).toBeGreaterThan(0.9999);
    expect((await pretrain(orderFor(plan, 'again', both, false))).digest).toBe(two.digest);
  }, 300_000);
});

function hasCheckpoint({ home, participationId }: PretrainOrder): boolean {
  return existsSync(join(home, 'rounds', participationId, 'checkpoint.safetensors'));
}

/** A site with three scans, and orders for it on a device. */
function useClinic() {
  const world = new TrainerWorld();
  let site: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    site = await world.site('clinic', ['a', 'b', 'c']);
  });
  afterAll(() => world.remove());
  const orderFor = (plan: RoundPlan, name: string, device: string, tf32 = true): PretrainOrder => ({
    ...world.order(site, plan, name),
    limits: { threads: 2, device, tf32 },
  });
  return { world, orderFor };
}
