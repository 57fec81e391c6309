import { readSafetensors, type WeightSet } from '@consilium/shared/weights';
import { pretrain, requireTrainer, TrainerWorld } from '../fixtures/trainer-site.js';

// With instance norm an example's gradient depends on nothing else in its batch, so one full-batch step at each site,
// averaged by patches, is one full-batch step on all data: what federated averaging promises for a single step.
describe('one full-batch step at two sites', () => {
  const world = new TrainerWorld();
  beforeAll(() => requireTrainer());
  afterAll(() => world.remove());

  async function stepWith(name: string, scans: readonly string[]): Promise<{ update: WeightSet; patches: number }> {
    const site = await world.site(name, scans);
    const plan = await world.plan({
      optimizer: { kind: 'sgd', learningRate: 1, momentum: 0.9 },
      batchSize: scans.length,
      steps: 1,
    });
    const { updatePath, report } = await pretrain(world.order(site, plan));
    return { update: (await readSafetensors(updatePath)).weights, patches: report.patches };
  }

  it('equals the central step on the union of their volumes', async () => {
    const one = await stepWith('one', ['a']);
    const two = await stepWith('two', ['b', 'c']);
    const central = await stepWith('central', ['c', 'a', 'b']);
    expect([one.patches, two.patches, central.patches]).toEqual([1, 2, 3]);

    const { difference, step } = compare(one, two, central.update);
    process.stderr.write(
      `central step: largest difference ${difference.toExponential(2)} of a largest step ${step.toExponential(2)}\n`,
    );
    expect(step).toBeGreaterThan(1e-3);
    expect(difference / step).toBeLessThan(1e-5);
    // And the sites alone are far from it: the comparison can fail.
    expect(compare(one, one, central.update).difference / step).toBeGreaterThan(0.01);
  }, 120_000);
});

interface Contribution {
  readonly update: WeightSet;
  readonly patches: number;
}

/** Largest absolute difference between the average weighted by patches (64-bit) and the central update, beside the largest step. */
function compare(left: Contribution, right: Contribution, central: WeightSet): { difference: number; step: number } {
  const patches = left.patches + right.patches;
  let difference = 0;
  let step = 0;
  for (const [index, { name, values }] of central.entries()) {
    const [a, b] = [left.update[index], right.update[index]];
    expect([a?.name, b?.name]).toEqual([name, name]);
    values.forEach((value, i) => {
      const mean = (left.patches * (a?.values[i] ?? NaN) + right.patches * (b?.values[i] ?? NaN)) / patches;
      difference = Math.max(difference, Math.abs(mean - value));
      step = Math.max(step, Math.abs(value));
    });
  }
  return { difference, step };
}
