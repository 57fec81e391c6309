import { initialWeights, isOfPart, type ModelPart, modelSpecSchema, scopedManifest } from '@consilium/shared/models';
import { elementCount, federatedPart, readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { type Assignment, type CampaignView, describeRound } from '@consilium/shared/wire';
import { blobPath, enrolSites, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, campaignView, encodeWeights, eventually, type RawSite } from '../fixtures/raw-site.js';

const MODEL = modelSpecSchema.parse({
  ...{ architecture: 'universal-model', width: 1, norm: 'instance', scales: 0, adversaryChannels: 1 },
});
const RATE = 0.01;
const FROZEN = {
  kind: 'universal-model',
  scaleWeight: 0,
  adversary: { mode: 'frozen', subRounds: 2, patches: 8, learningRate: RATE, warmUpShare: 0.5 },
};
const SEED = 7;
const isAdversary = (name: string): boolean => isOfPart(name, 'adversary');

/** The bytes of an update of one part of the model that moves each of its weights by the same amount. */
function updateOf(part: ModelPart, delta: number): Uint8Array {
  const { tensors } = federatedPart(scopedManifest(MODEL, [], part));
  return encodeWeights(
    tensors.map(({ name, shape }) => ({ name, shape, values: new Float32Array(elementCount(shape)).fill(delta) })),
  );
}

/** Largest difference of the chosen weights from what is expected of each. */
function furthest(weights: WeightSet, chosen: (name: string) => boolean, expected: (before: number) => number): number {
  let most = 0;
  initialWeights(MODEL, SEED).forEach(({ name, values }, index) => {
    if (!chosen(name)) return;
    values.forEach((before, i) => {
      most = Math.max(most, Math.abs((weights[index]?.values[i] ?? NaN) - expected(before)));
    });
  });
  return most;
}

/** Adam's place after steps along minus these gradients, from 0. */
function adam(descents: readonly number[]): number {
  let [m, v, x] = [0, 0, 0];
  descents.forEach((descent, index) => {
    m = 0.9 * m + 0.1 * descent;
    v = 0.999 * v + 0.001 * descent * descent;
    x += (RATE * m) / (1 - 0.9 ** (index + 1)) / (Math.sqrt(v / (1 - 0.999 ** (index + 1))) + 1e-8);
  });
  return x;
}

/** FedAdam's place after such mean deltas, from 0. */
function fedadam(deltas: readonly number[]): number {
  let [m, v, x] = [0, 1e-6, 0];
  for (const delta of deltas) {
    m = 0.9 * m + 0.1 * delta;
    v = 0.99 * v + 0.01 * delta * delta;
    x += (0.01 * m) / (Math.sqrt(v) + 1e-3);
  }
  return x;
}

describe('rounds of a modality adversary, over the wire', () => {
  let coordinator: TestCoordinator;
  let sites: RawSite[] = [];

  beforeEach(async () => {
    coordinator = await TestCoordinator.open();
    sites = await enrolSites(coordinator, 'site-a', 'site-b');
  });
  afterEach(async () => {
    for (const site of sites) site.disconnect();
    await coordinator.remove();
  });

  const start = (fields: Record<string, unknown> = {}): Promise<unknown> =>
    askOperator(coordinator, 'POST', '/api/campaigns', plan('universal', { model: MODEL, seed: SEED, rounds: 4, ...fields }));
  const finished = (rounds: number): Promise<CampaignView> =>
    eventually(async () => {
      const view = await campaignView(coordinator, 'universal');
      return view.finishedRounds >= rounds ? view : undefined;
    });
  const versionOf = async (round: number): Promise<WeightSet> => {
    const view = await finished(round);
    return (await readSafetensors(blobPath(coordinator, view.roundViews[round - 1]?.version?.digest ?? ''))).weights;
  };
  /** Both sites deliver to a round; their weights are 1 and 3. */
  const deliver = async (round: number, part: ModelPart, [a, b]: readonly [number, number]): Promise<void> => {
    for (const [index, [site, delta]] of sites.map((each, i) => [each, [a, b][i] ?? 0] as const).entries()) {
      const answer = await site.deliver(await site.trainAssignment(round), updateOf(part, delta), index === 0 ? 2 : 6);
      expect(answer).toMatchObject({ ok: true });
    }
  };
  const restart = async (): Promise<void> => {
    for (const site of sites) site.disconnect();
    await coordinator.stop();
    await coordinator.start();
    for (const site of sites) await site.connect();
  };

  it('move one part each, by their own rules and with their own memory, and survive restarts in between', async () => {
    await start({ objective: FROZEN, recipe: { name: 'fedadam' }, updates: { format: 'f32' } });
    await deliver(1, 'representation', [1, 2]);
    const first = await versionOf(1);
    expect(
      furthest(
        first,
        (name) => !isAdversary(name),
        (before) => before + fedadam([1.75]),
      ),
    ).toBeLessThan(1e-6);
    expect(furthest(first, isAdversary, (before) => before)).toBe(0);

    await restart();
    await deliver(2, 'adversary', [-4, 4]);
    const second = await versionOf(2);
    expect(furthest(second, isAdversary, (before) => before + adam([2]))).toBeLessThan(1e-6);
    await restart();
    await deliver(3, 'adversary', [8, 0]);
    const third = await versionOf(3);
    expect(furthest(third, isAdversary, (before) => before + adam([2, 2]))).toBeLessThan(1e-6);
    const standing = (weights: WeightSet): WeightSet => weights.filter(({ name }) => !isAdversary(name));
    expect(standing(third)).toEqual(standing(first));

    await restart();
    await deliver(4, 'representation', [1, 1]);
    const fourth = await versionOf(4);
    // The moments of round 1 were waiting: without them the second step would be that of a first.
    expect(
      furthest(
        fourth,
        (name) => !isAdversary(name),
        (before) => before + fedadam([1.75, 1]),
      ),
    ).toBeLessThan(1e-6);
    expect(fourth.filter(({ name }) => isAdversary(name))).toEqual(third.filter(({ name }) => isAdversary(name)));

    const { roundViews } = await finished(4);
    expect(roundViews.map(({ number, place }) => describeRound(number, place))).toEqual([
      'round 1 of 4 (representation)',
      'round 2 of 4 (adversary 1 of 2)',
      'round 3 of 4 (adversary 2 of 2)',
      'round 4 of 4 (representation)',
    ]);
  });

  it('ask sites for a gradient in full, and hand the adversary’s change out by itself', async () => {
    await start({ objective: FROZEN, recipe: { name: 'fedprox' }, updates: { format: 'int8' } });
    const site = sites[0] as RawSite;
    const asked = async (round: number): Promise<Extract<Assignment, { kind: 'train' }>['plan']> =>
      (await site.trainAssignment(round)).plan;
    expect(await asked(1)).toMatchObject({ updates: { format: 'int8' }, localRule: { kind: 'proximal' } });
    await deliver(1, 'representation', [1, 2]);
    const gradientPlan = await asked(2);
    expect([gradientPlan.updates, gradientPlan.localRule]).toEqual([undefined, undefined]);
    await deliver(2, 'adversary', [1, 1]);
    const { baseDelta, base } = await asked(3);
    const delta = await readSafetensors(blobPath(coordinator, baseDelta?.digest ?? ''));
    expect(delta.weights.map(({ name }) => name)).toEqual(adversaryNames());
    expect(baseDelta?.bytes ?? Infinity).toBeLessThan(base.bytes);
  });

  it('refuse an update of the other part, or of both', async () => {
    await start({ objective: FROZEN, quorum: 1 });
    const [a, b] = sites as [RawSite, RawSite];
    const mismatch = { ok: false, error: { code: 'MANIFEST_MISMATCH' } };
    expect(await a.deliver(await a.trainAssignment(1), updateOf('all', 1), 2)).toMatchObject(mismatch);
    expect(await b.deliver(await b.trainAssignment(1), updateOf('adversary', 1), 2)).toMatchObject(mismatch);
  });

  it('let a released update count only in a round of its part', async () => {
    const [third] = await enrolSites(coordinator, 'site-c');
    sites.push(third as RawSite);
    await start({ objective: FROZEN, quorum: 2, grace: '300ms' });
    for (const [index, site] of sites.entries()) {
      await site.deliver(await site.trainAssignment(1), updateOf('representation', index === 2 ? 100 : 1), 2);
    }
    const view = await finished(1);
    const held = view.roundViews[0]?.participations.find(({ siteName }) => siteName === 'site-c');
    expect(held).toMatchObject({ state: 'quarantined', code: 'UPDATE_NORM_FAR' });
    await askOperator(coordinator, 'POST', `/api/updates/${held?.id ?? ''}/release`, { operator: 'ops' });
    for (const round of [2, 3]) {
      for (const [index, site] of sites.entries()) {
        // Gradients that differ a hundredfold and oppose each other are nobody's fault.
        const answer = await site.deliver(await site.trainAssignment(round), updateOf('adversary', [1, 0.01, -1][index] ?? 0), 2);
        expect(answer).toMatchObject({ ok: true });
      }
    }
    const { roundViews } = await finished(3);
    for (const round of roundViews.slice(1, 3)) {
      expect(round.participations.map(({ countedInRound }) => countedInRound)).toEqual([
        round.number,
        round.number,
        round.number,
      ]);
    }
    for (const site of sites) await site.deliver(await site.trainAssignment(4), updateOf('representation', 1), 2);
    const after = await finished(4);
    const released = after.roundViews[0]?.participations.find(({ siteName }) => siteName === 'site-c');
    expect(released?.countedInRound).toBe(4);
  });

  it('average an adversary that sites train themselves over those who train it', async () => {
    await start({ objective: { kind: 'universal-model', scaleWeight: 0, adversary: { mode: 'reversal' } }, rounds: 1 });
    const [a, b] = sites as [RawSite, RawSite];
    await a.deliver(await a.trainAssignment(1), updateOf('all', 1), 2);
    await b.deliver(await b.trainAssignment(1), updateOf('representation', 3), 6);
    const weights = await versionOf(1);
    expect(furthest(weights, isAdversary, (before) => before + 1)).toBeLessThan(1e-6);
    expect(
      furthest(
        weights,
        (name) => !isAdversary(name),
        (before) => before + 2.5,
      ),
    ).toBeLessThan(1e-6);
  });

  function adversaryNames(): string[] {
    return federatedPart(scopedManifest(MODEL, [], 'adversary')).tensors.map(({ name }) => name);
  }
});
