import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOfFile, Random } from '@consilium/shared/kernel';
import { modelSpecSchema, statisticNames } from '@consilium/shared/models';
import {
  addWeights,
  decodeUpdate,
  type EncodedTensor,
  encodeElements,
  encodeUpdate,
  readSafetensors,
  subtractWeights,
  type WeightSet,
  writeSafetensors,
} from '@consilium/shared/weights';
import type { RoundPlan } from '@consilium/shared/wire';
import { keepCampaignState } from '../../site-agent/src/agent/campaign-state.js';
import { campaignStateFile, modelFile, type SiteFolder } from '../../site-agent/src/config/site-folder.js';
import type { PretrainOrder, PretrainResult } from '../../site-agent/src/trainer/trainer-messages.js';
import { digestOfKept } from '../../site-agent/src/training/kept-state.js';
import { roundFolder } from '../../site-agent/src/training/round-folder.js';
import { withPrefix } from '../../site-agent/src/training/tensor-groups.js';
import { eventually, pretrain, requireTrainer, startTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

const RATE = 0.1;
const PLAIN: Partial<RoundPlan['training']> = { optimizer: { kind: 'sgd', learningRate: RATE, momentum: 0 } };
const isNorm = (name: string): boolean => /^[ed]\d\.[14]\./.test(name);

/** As the coordinator reads it: scales applied, by name. */
async function decoded({ updatePath }: PretrainResult): Promise<WeightSet> {
  const { weights, header } = await readSafetensors(updatePath);
  const tensors = weights.map(({ name, shape, values }, i): EncodedTensor => {
    const { dtype } = header.tensors[i] ?? { dtype: 'F32' };
    const bytes = dtype === 'I8' ? new Uint8Array(Int8Array.from(values).buffer) : encodeElements(values, dtype);
    return { name, shape, dtype, bytes };
  });
  return decodeUpdate(tensors);
}

const modelPart = (update: WeightSet): WeightSet => update.filter(({ name }) => !name.startsWith('control/'));
const controlPart = (update: WeightSet): WeightSet => withPrefix('control/', update);

function norm(weights: WeightSet): number {
  return Math.sqrt(weights.reduce((sum, { values }) => sum + values.reduce((part, x) => part + x * x, 0), 0));
}

function mean(left: WeightSet, right: WeightSet): WeightSet {
  return addWeights(left, right).map((tensor) => ({ ...tensor, values: tensor.values.map((x) => x / 2) }));
}

function times(weights: WeightSet, factor: number): WeightSet {
  return weights.map((tensor) => ({ ...tensor, values: tensor.values.map((x) => x * factor) }));
}

const relativeError = (actual: WeightSet, expected: WeightSet): number =>
  norm(subtractWeights(actual, expected)) / norm(expected);

/** Trains, and does what the agent does when the update is acknowledged. */
async function trainAndKeep(site: SiteFolder, order: PretrainOrder): Promise<WeightSet> {
  const update = await decoded(await pretrain(order));
  await keepCampaignState(site, order.participationId, order.plan.campaignId);
  return update;
}

async function kept(site: SiteFolder, prefix: string): Promise<WeightSet> {
  return withPrefix(prefix, (await readSafetensors(campaignStateFile(site, 'campaign_1'))).weights);
}

/** Puts the mean of the control variates where the agent fetches it to. */
async function withControl(order: PretrainOrder, site: SiteFolder, control: WeightSet): Promise<PretrainOrder> {
  const named = control.map((tensor) => ({ ...tensor, name: `control/${tensor.name}` }));
  const path = join(site.modelsFolder, 'control.safetensors');
  const written = await writeSafetensors(path, named);
  const localRule = { kind: 'control-variates', control: written } as const;
  return { ...order, plan: { ...order.plan, localRule }, controlPath: path };
}

describe('what a site does to its update', () => {
  const world = new TrainerWorld();
  let site: SiteFolder;
  let other: SiteFolder;
  beforeAll(async () => {
    requireTrainer();
    [site, other] = [await world.site('clinic', ['a', 'b']), await world.site('other', ['c'])];
  });
  beforeEach(async () => {
    for (const { campaignsFolder } of [site, other]) await rm(campaignsFolder, { recursive: true, force: true });
  });
  afterAll(() => world.remove());

  it('int8 with error feedback: over the rounds nothing is lost by rounding', async () => {
    const plain = await world.plan({ steps: 3 });
    const base = await digestOfFile(join(world.folder, 'base.safetensors'), 'blake3');
    const updates = { format: 'int8', errorFeedback: true } as const;
    const zero = subtractWeights(...(await twice(world)));
    let [delivered, wanted, blind] = [zero, zero, zero];
    for (let round = 1; round <= 4; round++) {
      const plan = { ...plain, roundNumber: round, rounds: 4, base: { ...plain.base, digest: base } };
      const exact = await pretrain(world.order(site, plan, `exact_${round}`));
      const narrow = await pretrain(world.order(site, { ...plan, updates }, `narrow_${round}`));
      await keepCampaignState(site, `narrow_${round}`, plan.campaignId);
      const [delta, update] = [await decoded(exact), await decoded(narrow)];
      wanted = addWeights(wanted, delta);
      delivered = addWeights(delivered, update);
      blind = addWeights(blind, encodeUpdate(delta, 'int8').decoded);
      expect([exact.digest, narrow.digest].map((digest) => digest.slice(0, 7))).toEqual(['blake3:', 'blake3:']);
      expect(narrow.report.encodingError).toBeGreaterThan(0);
      expect(narrow.report.deltaNorm).toBeCloseTo(norm(delta), 5);
      expect(exact.report).not.toHaveProperty('deltaNorm');
    }
    const [withFeedback, without] = [relativeError(delivered, wanted), relativeError(blind, wanted)];
    process.stderr.write(
      `four rounds in int8: error of their sum ${withFeedback.toFixed(4)}, without feedback ${without.toFixed(4)}\n`,
    );
    expect(relativeError(addWeights(delivered, await kept(site, 'residual/')), wanted)).toBeLessThan(1e-5);
    expect(withFeedback).toBeLessThan(0.7 * without);
  }, 180_000);

  it('an update that the coordinator never acknowledged changes nothing in the next one', async () => {
    const plan = { ...(await world.plan({ steps: 2 })), updates: { format: 'int8', errorFeedback: true } as const };
    const dropped = await pretrain(world.order(site, plan, 'dropped'));
    const again = await pretrain(world.order(site, plan, 'again'));
    expect(again.digest).toBe(dropped.digest);
    await keepCampaignState(site, 'again', plan.campaignId);
    expect((await pretrain(world.order(site, plan, 'next'))).digest).not.toBe(dropped.digest);
  }, 120_000);

  it('norms and their statistics stay at the site, differ between sites, and are there again in the next round', async () => {
    const model = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm: 'batch', batchStatistics: 'training' });
    const plan = { ...(await world.plan({ steps: 4, ...PLAIN }, model)), siteLocal: ['norms'] };
    for (const each of [site, other]) {
      const update = await trainAndKeep(each, world.order(each, plan, 'first'));
      expect(update.map(({ name }) => name).filter(isNorm)).toEqual([]);
      expect(update).toHaveLength(2 * 14 + 2 * 3 + 2); // convolutions: in the blocks, going up, the last one
    }
    const [own, theirs] = [await kept(site, 'site-local/'), await kept(other, 'site-local/')];
    expect(own.map(({ name }) => name)).toEqual(theirs.map(({ name }) => name));
    expect(own).toHaveLength(4 * 14);
    for (const [i, { values }] of own.entries()) expect(values).not.toEqual(theirs[i]?.values);

    // A round in which gradients move nothing: what training began with shows.
    const still = {
      ...plan,
      training: { ...plan.training, optimizer: { kind: 'sgd', learningRate: 1e-30, momentum: 0 } } as const,
    };
    const calm = await pretrain(world.order(site, still, 'still'));
    expect(norm(await decoded(calm))).toBe(0);
    await keepCampaignState(site, 'still', plan.campaignId);
    const statistics = statisticNames(model);
    const later = await kept(site, 'site-local/');
    for (const [i, { name, values }] of own.entries()) {
      if (!statistics.has(name)) expect([name, later[i]?.values]).toEqual([name, values]);
    }
    // The site's own norms are part of the model that it scores.
    await rm(site.campaignsFolder, { recursive: true });
    const fresh = await pretrain(world.order(site, still, 'fresh'));
    expect(calm.report.baseScore?.restorationError).not.toBe(fresh.report.baseScore?.restorationError);
  }, 180_000);

  it('control variates: one step at two sites is the one computed by hand', async () => {
    const plan: RoundPlan = {
      ...(await world.plan({ steps: 1, ...PLAIN })),
      localRule: { kind: 'control-variates', control: null },
    };
    const firsts: WeightSet[] = [];
    for (const each of [site, other]) firsts.push(await trainAndKeep(each, world.order(each, plan, 'first')));
    for (const first of firsts) {
      // c = cᵢ = 0: a plain step, and cᵢ⁺ = (x − y) / η, the gradient.
      expect(relativeError(controlPart(first), times(modelPart(first), -1 / RATE))).toBeLessThan(1e-6);
    }
    const c = mean(...(firsts.map(controlPart) as [WeightSet, WeightSet]));
    expect(relativeError(await kept(site, 'control/'), controlPart(firsts[0] ?? []))).toBe(0);
    expect(relativeError(c, controlPart(firsts[0] ?? []))).toBeGreaterThan(0.1);

    // The same round again has the same gradients: with cᵢ = gᵢ both sites step by −η (gᵢ + c − cᵢ) = −η c.
    for (const each of [site, other]) {
      const second = await trainAndKeep(each, await withControl(world.order(each, plan, 'second'), each, c));
      expect(relativeError(modelPart(second), times(c, -RATE))).toBeLessThan(1e-4);
      expect(norm(controlPart(second)) / norm(c)).toBeLessThan(1e-3);
    }
    const sum = mean(await kept(site, 'control/'), await kept(other, 'control/'));
    expect(relativeError(sum, c)).toBeLessThan(1e-3);
  }, 120_000);

  it('a proximal term keeps a round nearer to its base', async () => {
    const plan = await world.plan({ steps: 30, ...PLAIN });
    const far = await decoded(await pretrain(world.order(site, plan, 'far')));
    const localRule = { kind: 'proximal', mu: 5 } as const;
    const near = await decoded(await pretrain(world.order(site, { ...plan, localRule }, 'near')));
    expect(norm(near)).toBeLessThan(0.6 * norm(far));
    expect(norm(near)).toBeGreaterThan(0.01 * norm(far));
  }, 120_000);

  it('a budget in minutes ends a round before its steps are done', async () => {
    const plan = await world.plan({ steps: 1_000_000, minutes: 0.02 });
    const { report } = await pretrain(world.order(site, plan, 'minutes'));
    expect(report.trainingMs).toBeGreaterThanOrEqual(1200);
    expect(report.steps).toBeLessThan(10_000);
    expect(report.patches).toBe(2 * report.steps);
  }, 120_000);

  it('all of it together, killed with -9 at random steps, gives the bytes of a trainer that was never disturbed', async () => {
    const plan: RoundPlan = {
      ...(await world.plan({ steps: 60, checkpointEverySteps: 2 })),
      updates: { format: 'int8', errorFeedback: true },
      siteLocal: ['norms'],
      localRule: { kind: 'control-variates', control: null },
    };
    const first = await trainAndKeep(site, world.order(site, plan, 'first'));
    const orderOf = (participationId: string): Promise<PretrainOrder> =>
      withControl(world.order(site, plan, participationId), site, times(controlPart(first), 0.5));
    const undisturbed = await pretrain(await orderOf('calm'));
    const random = new Random('local-rules/kill');
    const order = await orderOf('killed');
    const folder = roundFolder(site.roundsFolder, 'killed');
    for (let kill = 0; kill < 2; kill++) {
      const { handle, progress } = startTrainer(order);
      const checkpoint = join(folder.path, 'checkpoint.safetensors');
      await eventually(() => existsSync(checkpoint) && progress.some(({ phase }) => phase === 'training'));
      await new Promise((resolve) => setTimeout(resolve, random.between(0, 150)));
      process.kill(handle.pid ?? 0, 'SIGKILL');
      await expect(handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED' });
    }
    const { handle, progress, warnings } = startTrainer(order);
    expect(await handle.finished).toMatchObject({ digest: undisturbed.digest });
    expect(progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThanOrEqual(2);
    expect(warnings).toEqual([]);
    const calmState = await digestOfKept(roundFolder(site.roundsFolder, 'calm').stateFile);
    expect(calmState).toBeDefined();
    expect(await digestOfKept(folder.stateFile)).toBe(calmState);
  }, 180_000);

  it('a mean of control variates that is altered, or another model’s, is refused', async () => {
    const plan = await world.plan({ steps: 1, ...PLAIN });
    const base = (await readSafetensors(join(world.folder, 'base.safetensors'))).weights;
    const order = await withControl(world.order(site, plan, 'altered'), site, base);
    await expect(pretrain({ ...order, controlPath: modelFile(site, plan.base.digest) })).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
    });
    const partial = await withControl(world.order(site, plan, 'partial'), site, base.slice(1));
    await expect(pretrain(partial)).rejects.toMatchObject({ code: 'MANIFEST_MISMATCH' });
  }, 120_000);
});

async function twice({ folder }: TrainerWorld): Promise<[WeightSet, WeightSet]> {
  const { weights } = await readSafetensors(join(folder, 'base.safetensors'));
  return [weights, weights];
}
