import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { RoundPlan } from '@consilium/shared/wire';
import type { SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import type { PretrainOrder } from '../../site-agent/src/trainer/trainer-messages.js';
import { updateValues } from '../fixtures/compare-updates.js';
import { cosine } from '../fixtures/cosine.js';
import { asPretrainResult, eventually, pretrain, requireTrainer, startTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

/** Two trainers on the processor stand for two cards. */
describe('two trainers of one site that train together', () => {
  const world = new TrainerWorld();
  let site: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    site = await world.site('clinic', ['a', 'b', 'c']);
  });
  afterAll(() => world.remove());

  function orderFor(plan: RoundPlan, name: string, device: string): PretrainOrder {
    return { ...world.order(site, plan, name), limits: { threads: 2, device } };
  }

  /** The other trainers, children of the first one. */
  function followersOf(pid: number | undefined): number[] {
    const list = execFileSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
    return list
      .split('\n')
      .filter((line) => line.includes('replica-main'))
      .map((line) => line.trim().split(/\s+/).map(Number))
      .filter(([, parent]) => parent === pid)
      .map(([child = 0]) => child);
  }

  function isAlive(pid: number): boolean {
    return existsSync(`/proc/${pid}`);
  }

  it('make the update that one trainer makes alone, say so, and the same bits each time', async () => {
    const plan = await world.plan({ steps: 5, batchSize: 4 });
    const alone = await pretrain(orderFor(plan, 'alone', 'cpu'));
    const first = startTrainer(orderFor(plan, 'together', 'cpu:0,1'));
    const together = asPretrainResult(await first.handle.finished);
    expect(first.announcements[0]).toContain('computing on the processor');
    expect(first.announcements).toContainEqual(expect.stringContaining('each batch of 4 is shared as 2 + 2'));
    expect(first.warnings).toEqual([]);
    expect((await pretrain(orderFor(plan, 'again', 'cpu:0,1'))).digest).toBe(together.digest);
    expect(together.report.lastLoss).toBeCloseTo(alone.report.lastLoss ?? NaN, 5);
    expect(cosine([await updateValues(together), await updateValues(alone)])).toBeGreaterThan(0.9999);
  }, 120_000);

  it('report the kill of one of them, leave no process behind, and resume to the same bits', async () => {
    const plan = await world.plan({ steps: 40, batchSize: 2, checkpointEverySteps: 4 });
    const calm = await pretrain(orderFor(plan, 'calm', 'cpu:0,1'));
    const order = orderFor(plan, 'killed', 'cpu:0,1');
    const checkpoint = join(roundFolder(site.roundsFolder, 'killed').path, 'checkpoint.safetensors');
    const { handle } = startTrainer(order);
    await eventually(() => existsSync(checkpoint));
    const [follower = 0] = followersOf(handle.pid);
    process.kill(follower, 'SIGKILL');
    await expect(handle.finished).rejects.toMatchObject({
      code: 'TRAINER_DIED',
      retryable: true,
      message: expect.stringMatching(/^the processor: .*SIGKILL/) as string,
    });
    const resumed = startTrainer(order);
    const result = asPretrainResult(await resumed.handle.finished);
    expect(resumed.progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThanOrEqual(4);
    expect(result.digest).toBe(calm.digest);
    expect(result.report.meanLoss).toBe(calm.report.meanLoss);
  }, 120_000);

  it('stop together, and die with the first one', async () => {
    const plan = await world.plan({ steps: 100_000, batchSize: 2 });
    const order = orderFor(plan, 'stopped', 'cpu:0,1');
    for (const end of ['stop', 'kill'] as const) {
      const { handle, progress } = startTrainer(order);
      await eventually(() => progress.some(({ phase, step }) => phase === 'training' && step > 0));
      const followers = followersOf(handle.pid);
      expect(followers.map(isAlive)).toEqual([true]);
      if (end === 'stop') await handle.stop();
      else process.kill(handle.pid ?? 0, 'SIGKILL');
      await expect(handle.finished).rejects.toMatchObject({ code: end === 'stop' ? 'TRAINER_STOPPED' : 'TRAINER_DIED' });
      await eventually(() => followers.every((pid) => !isAlive(pid)), 20_000);
    }
  }, 120_000);

  it('leave out a device that a small batch has no work for', async () => {
    const { handle, announcements } = startTrainer(orderFor(await world.plan({ steps: 2, batchSize: 1 }), 'small', 'cpu:0,1'));
    await handle.finished;
    expect(announcements).toContainEqual(expect.stringMatching(/a batch of 1 leaves idle: the processor/));
  }, 120_000);

  it('refuse a card that is not there, and never compute elsewhere in silence', async () => {
    const { handle, progress } = startTrainer(orderFor(await world.plan({ steps: 2 }), 'no-card', 'gpu:63'));
    await expect(handle.finished).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE', retryable: false });
    expect(progress.filter(({ phase }) => phase === 'training')).toEqual([]);
  }, 120_000);
});
