import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, truncateSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { digestOfFile, Random, required } from '@consilium/shared/kernel';
import { manifestOf } from '@consilium/shared/models';
import { addWeights, readSafetensors, requireSameTensors, writeSafetensors } from '@consilium/shared/weights';
import type { SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { TrainerProcess } from '../../site-agent/src/trainer/trainer-process.js';
import {
  eventually,
  pretrain,
  requireTrainer,
  startTrainer,
  TINY_MODEL,
  TRAINER_MODULE,
  TrainerWorld,
} from '../fixtures/trainer-site.js';

describe('the trainer process', () => {
  const world = new TrainerWorld();
  let site: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    site = await world.site('clinic', ['a', 'b', 'c']);
  });
  afterAll(() => world.remove());

  const checkpointOf = (participationId: string): string =>
    join(roundFolder(site.roundsFolder, participationId).path, 'checkpoint.safetensors');

  it('learns, and delivers an update that is whole and says only what it may', async () => {
    const plan = await world.plan({ steps: 60, batchSize: 4 });
    const { handle, progress, warnings } = startTrainer(world.order(site, plan, 'learn'));
    const result = await handle.finished;
    if (result.kind !== 'pretrain') throw new Error('another kind of result');
    expect(warnings).toEqual([]);
    expect(result.report).toMatchObject({ steps: 60, patches: 240, volumes: 3, baseScore: { patches: 4 } });
    expect(new Set(progress.map(({ phase }) => phase))).toEqual(new Set(['preparing', 'scoring', 'training']));
    expect(progress.at(-1)).toMatchObject({ phase: 'training', step: 60, steps: 60 });

    const { weights: update, metadata } = await readSafetensors(result.updatePath);
    requireSameTensors(manifestOf(TINY_MODEL), update, 'the update');
    expect(Object.keys(metadata).sort()).toEqual(['base', 'format', 'kind', 'patches', 'plan', 'round']);
    expect(await digestOfFile(result.updatePath)).toBe(result.digest);
    expect(existsSync(checkpointOf('learn'))).toBe(false);

    // The new version restores the frozen probe better than the base did.
    const base = await readSafetensors(world.order(site, plan).basePath);
    const versionPath = join(world.folder, 'version-2.safetensors');
    const version = await writeSafetensors(versionPath, addWeights(base.weights, update));
    const scoring = new TrainerProcess().start(
      {
        kind: 'score',
        home: site.home,
        limits: { threads: 1 },
        versionPath,
        plan: { ...pickScorePlan(plan), version: { number: 2, ...version } },
      },
      () => undefined,
    );
    const scored = await scoring.finished;
    if (scored.kind !== 'score') throw new Error('another kind of result');
    const before = required(result.report.baseScore, 'the score of the base');
    process.stderr.write(
      `restoration error ${before.restorationError.toFixed(4)} → ${scored.score.restorationError.toFixed(4)}, ` +
        `skill ${before.skill.toFixed(2)} → ${scored.score.skill.toFixed(2)}, last loss ${result.report.lastLoss?.toFixed(4)}\n`,
    );
    expect(scored.score.restorationError).toBeLessThan(0.8 * before.restorationError);
    expect(scored.score.constantError).toBe(before.constantError);
  }, 120_000);

  it('gives the same bytes after a kill -9 at any step as without', async () => {
    const plan = await world.plan({ steps: 60, checkpointEverySteps: 4 });
    const undisturbed = await pretrain(world.order(site, plan, 'calm'));
    const random = new Random('kill');
    const order = world.order(site, plan, 'killed');
    for (const kills of [1, 2]) {
      const { handle, progress } = startTrainer(order);
      await eventually(() => existsSync(checkpointOf('killed')) && progress.some(({ phase }) => phase === 'training'));
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 60)));
      process.kill(handle.pid ?? 0, 'SIGKILL');
      const outcome = await handle.finished.then(
        () => 'finished',
        (error: unknown) => error,
      );
      expect([kills, outcome]).toEqual([kills, expect.objectContaining({ code: 'TRAINER_DIED', retryable: true })]);
    }
    const { handle, progress, warnings } = startTrainer(order);
    const resumed = await handle.finished;
    expect(progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThanOrEqual(4);
    expect(warnings).toEqual([]);
    expect(resumed).toMatchObject({
      digest: undisturbed.digest,
      report: {
        meanLoss: undisturbed.report.meanLoss,
        lastLoss: undisturbed.report.lastLoss,
        baseScore: undisturbed.report.baseScore,
      },
    });
  }, 120_000);

  it('gives the same bytes with Adam after a stop, losing no step', async () => {
    const optimizer = { kind: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;
    const plan = await world.plan({ steps: 60, checkpointEverySteps: 1000, optimizer });
    const undisturbed = await pretrain(world.order(site, plan, 'calm-adam'));
    const order = world.order(site, plan, 'stopped');
    const first = startTrainer(order);
    await eventually(() => first.progress.some(({ phase, step }) => phase === 'training' && step >= 1));
    await first.handle.stop();
    await expect(first.handle.finished).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
    expect(existsSync(checkpointOf('stopped'))).toBe(true);
    const second = startTrainer(order);
    expect(await second.handle.finished).toMatchObject({ digest: undisturbed.digest });
    expect(second.progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThanOrEqual(1);
  }, 120_000);

  it('returns a finished order at once, and makes a lost or altered update again, equal', async () => {
    const order = world.order(site, await world.plan({ steps: 4 }), 'again');
    const result = await pretrain(order);
    const repeated = startTrainer(order);
    expect(await repeated.handle.finished).toEqual(result);
    expect(repeated.progress).toEqual([]);
    truncateSync(result.updatePath, 100);
    expect(await pretrain(order)).toMatchObject({ digest: result.digest });
  }, 120_000);

  it('passes over damaged checkpoints with a warning and still ends at the same bytes', async () => {
    const plan = await world.plan({ steps: 40, checkpointEverySteps: 1000 });
    const undisturbed = await pretrain(world.order(site, plan, 'calm-short'));
    const order = world.order(site, plan, 'damaged');
    const first = startTrainer(order);
    await eventually(() => first.progress.some(({ phase, step }) => phase === 'training' && step >= 1));
    await first.handle.stop();
    truncateSync(checkpointOf('damaged'), 1000);
    const second = startTrainer(order);
    expect(await second.handle.finished).toMatchObject({ digest: undisturbed.digest });
    expect(second.warnings).toEqual([expect.stringContaining('a checkpoint is damaged')]);
  }, 120_000);

  it('dies with the process that started it', async () => {
    const order = world.order(site, await world.plan({ steps: 100_000 }), 'orphan');
    const program = `import { TrainerProcess } from ${JSON.stringify(pathToFileURL(TRAINER_MODULE).href)};
      const handle = new TrainerProcess().start(${JSON.stringify(order)}, ({ phase, step }) => console.log(phase, step, handle.pid));`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let pid = 0;
    for await (const line of createInterface(parent.stdout)) {
      const [phase, step, trainerPid] = line.split(' ');
      pid = Number(trainerPid);
      if (phase === 'training' && Number(step) > 0) break;
    }
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await eventually(() => !isAlive(pid), 20_000);
  }, 120_000);
});

describe('a trainer process with nothing to work on', () => {
  const world = new TrainerWorld();
  beforeAll(() => requireTrainer());
  afterAll(() => world.remove());

  it('says that the collection is empty and what to do', async () => {
    const site = await world.site('empty', []);
    await expect(pretrain(world.order(site, await world.plan()))).rejects.toMatchObject({
      code: 'COLLECTION_EMPTY',
      remedy: expect.stringContaining('site-agent index') as string,
    });
  }, 120_000);

  it('refuses a base that is missing, altered or of another model', async () => {
    const site = await world.site('bases', ['a']);
    const plan = await world.plan();
    const order = world.order(site, plan);
    await expect(pretrain({ ...order, basePath: join(world.folder, 'nowhere') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const wider = { ...order, plan: { ...plan, model: { ...plan.model, width: 3 } } };
    await expect(pretrain(wider)).rejects.toMatchObject({ code: 'MANIFEST_MISMATCH' });
    truncateSync(order.basePath, 1000);
    await expect(pretrain(order)).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
  }, 120_000);

  it('reports divergence instead of delivering it', async () => {
    const site = await world.site('diverging', ['a']);
    const plan = await world.plan({ optimizer: { kind: 'sgd', learningRate: 1e30, momentum: 0.9 }, steps: 20 });
    const order = world.order(site, plan);
    await expect(pretrain(order)).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' });
    expect(readdirSync(roundFolder(site.roundsFolder, order.participationId).path)).not.toContain('update.safetensors');
  }, 120_000);
});

function pickScorePlan({
  campaignId,
  campaignName,
  model,
  objective,
  patch,
  probe,
  seed,
}: Awaited<ReturnType<TrainerWorld['plan']>>) {
  return { campaignId, campaignName, model, objective, patch, probe, seed };
}

/** Gone, or a zombie that nobody has collected yet. */
function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
