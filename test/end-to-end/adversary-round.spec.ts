import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { isOfPart, manifestOf, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { objectiveSchema, patchPlanSchema, type RoundPlan } from '@consilium/shared/wire';
import type { SiteFolder } from '../../site-agent/src/config/site-folder.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { eventually, pretrain, requireTrainer, startTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

const MODEL = modelSpecSchema.parse({ architecture: 'universal-model', width: 2, norm: 'instance', scaleFeatures: 8 });
const FROZEN = { mode: 'frozen', subRounds: 2, patches: 24, warmUpShare: 0.5 };
const NAMES = manifestOf(MODEL).tensors.map(({ name }) => name);
const ADVERSARY = NAMES.filter((name) => isOfPart(name, 'adversary'));
const REPRESENTATION = NAMES.filter((name) => isOfPart(name, 'representation'));

describe('a trainer at a site with one modality', () => {
  const world = new TrainerWorld();
  let site: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    site = await world.site('ct-clinic', ['a', 'b']);
  });
  afterAll(() => world.remove());

  const planOf = async (roundNumber: number, adversary: object, training: Partial<RoundPlan['training']> = {}) => ({
    ...(await world.plan({ steps: 2, checkpointEverySteps: 1, ...training }, MODEL)),
    patch: patchPlanSchema.parse({ sizeVoxels: [32, 32, 16] }),
    ...{ roundNumber, rounds: 4, objective: objectiveSchema.parse({ kind: 'universal-model', adversary }) },
  });
  const namesIn = async (path: string): Promise<string[]> => (await readSafetensors(path)).weights.map(({ name }) => name);

  it('delivers the adversary’s gradient alone in an adversary round, the same bytes after a kill -9 and after a stop', async () => {
    const plan = await planOf(2, { ...FROZEN, patches: 120 });
    const undisturbed = await pretrain(world.order(site, plan, 'calm'));
    expect(undisturbed.report).toMatchObject({ steps: 1, patches: 120, volumes: 2 });
    expect(undisturbed.report.baseScore).toBeUndefined();
    // An adversary that has learnt nothing is near the toss of a coin.
    expect(undisturbed.report.meanLoss).toBeGreaterThan(0.2);
    expect(undisturbed.report.meanLoss).toBeLessThan(1.5);
    const { weights, metadata } = await readSafetensors(undisturbed.updatePath);
    expect(weights.map(({ name }) => name)).toEqual(ADVERSARY);
    expect(metadata).toMatchObject({ kind: 'update', base: plan.base.digest, round: '2', patches: '120' });
    // Of the last bias: minus (p − y), so up for CT, the only class here, and down for MR.
    const [ct = 0, mr = 0] = weights.find(({ name }) => name === 'modality.head.2.bias')?.values ?? [];
    expect(ct).toBeGreaterThan(0.1);
    expect(mr).toBeCloseTo(-ct, 6);

    const order = world.order(site, plan, 'disturbed');
    const checkpoint = join(roundFolder(site.roundsFolder, 'disturbed').path, 'checkpoint.safetensors');
    const killed = startTrainer(order);
    await eventually(() => existsSync(checkpoint));
    process.kill(killed.handle.pid ?? 0, 'SIGKILL');
    await expect(killed.handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED' });
    const stopped = startTrainer(order);
    await eventually(() => stopped.progress.some(({ phase }) => phase === 'training'));
    await stopped.handle.stop();
    await expect(stopped.handle.finished).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
    const last = startTrainer(order);
    const { meanLoss } = undisturbed.report;
    expect(await last.handle.finished).toMatchObject({ digest: undisturbed.digest, report: { meanLoss, patches: 120 } });
    expect(last.progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThan(4);
  }, 300_000);

  it('stops early where time is short, and weighs as much less', async () => {
    const plan = await planOf(2, { ...FROZEN, patches: 120 }, { minutes: 1e-6 });
    const { report } = await pretrain(world.order(site, plan, 'short'));
    expect(report.patches).toBeLessThan(120);
    expect(report.patches).toBeGreaterThan(0);
  }, 120_000);

  it('delivers all but the adversary in a round of the representation', async () => {
    const { updatePath, report } = await pretrain(world.order(site, await planOf(1, FROZEN), 'representation'));
    expect(await namesIn(updatePath)).toEqual(REPRESENTATION);
    expect(report.baseScore).toBeDefined();
  }, 120_000);

  it('leaves the adversary out where sites train it themselves', async () => {
    const plan = await planOf(1, { mode: 'reversal' });
    expect(await namesIn((await pretrain(world.order(site, plan, 'alone'))).updatePath)).toEqual(REPRESENTATION);
  }, 120_000);
});
