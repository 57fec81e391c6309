import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import type { RoundPlan } from '@consilium/shared/wire';
import type { SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { eventually, pretrain, requireTrainer, startTrainer, TINY_MODEL, TrainerWorld } from '../fixtures/trainer-site.js';

const STEPS = 120;
const KILLS = 3;

interface Variant {
  readonly model: ModelSpec;
  readonly training: Partial<RoundPlan['training']>;
}

/** Between them: every optimizer's moments, clipping, groups, averages, schedules, running statistics, both precisions. */
const VARIANTS: Readonly<Record<string, Variant>> = {
  'SGD with Nesterov, clipping, warm-up and a polynomial': {
    model: TINY_MODEL,
    training: {
      optimizer: { kind: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4, clipNorm: 0.5 },
      schedule: { kind: 'polynomial', power: 0.9, warmUp: { steps: 10, startFactor: 0.1 } },
    },
  },
  'AdamW with an average, in bfloat16, two batches a step': {
    model: TINY_MODEL,
    training: {
      optimizer: {
        kind: 'adamw',
        learningRate: 1e-3,
        beta1: 0.9,
        beta2: 0.999,
        epsilon: 1e-8,
        weightDecay: 0.01,
        averageDecay: 0.9,
      },
      precision: 'bf16',
      accumulateBatches: 2,
      schedule: { kind: 'cosine', floorFactor: 0.1 },
    },
  },
  'LAMB with a frozen group, on running statistics': {
    model: modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm: 'batch', batchStatistics: 'training' }),
    training: {
      optimizer: {
        ...{ kind: 'lamb', learningRate: 1e-2, beta1: 0.9, beta2: 0.999, epsilon: 1e-6, weightDecay: 0.01 },
        groups: [{ match: 'e1.', frozen: true }],
      },
    },
  },
};

describe.each(Object.keys(VARIANTS))('a trainer killed with -9 at random steps: %s', (name) => {
  const { model, training } = VARIANTS[name] as Variant;
  const world = new TrainerWorld();
  let site: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    site = await world.site('clinic', ['a', 'b']);
  });
  afterAll(() => world.remove());

  it('delivers the bytes of a trainer that was never disturbed', async () => {
    const random = new Random(`recovery/${name}`);
    const plan = await world.plan({ steps: STEPS, checkpointEverySteps: random.integer(1, 4), ...training }, model);
    const undisturbed = await pretrain(world.order(site, plan, 'calm'));

    const order = world.order(site, plan, 'killed');
    const checkpoint = join(roundFolder(site.roundsFolder, 'killed').path, 'checkpoint.safetensors');
    const resumedAt: (number | undefined)[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const { handle, progress } = startTrainer(order);
      await eventually(() => existsSync(checkpoint) && progress.some(({ phase }) => phase === 'training'));
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 500)));
      process.kill(handle.pid ?? 0, 'SIGKILL');
      const outcome = await handle.finished.catch((error: unknown) => error);
      expect(outcome).toMatchObject({ code: 'TRAINER_DIED', retryable: true });
      resumedAt.push(progress.find(({ phase }) => phase === 'training')?.step);
    }
    const { handle, warnings, progress } = startTrainer(order);
    const resumed = await handle.finished;
    resumedAt.push(progress.find(({ phase }) => phase === 'training')?.step);
    process.stderr.write(`${name}: resumed after steps ${resumedAt.slice(1).join(', ')} of ${STEPS}\n`);
    expect(warnings).toEqual([]);
    const { meanLoss, lastLoss, baseScore } = undisturbed.report;
    expect(resumed).toMatchObject({ digest: undisturbed.digest, report: { steps: STEPS, meanLoss, lastLoss, baseScore } });
  }, 180_000);
});
