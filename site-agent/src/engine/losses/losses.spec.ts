import { Random } from '@consilium/shared/kernel';
import { centralDifferences, largestDifference } from '../../../../test/fixtures/gradient-check.js';
import { openRuntime } from '../open-runtime.js';
import { LOSSES, type LossName } from './loss-named.js';

const runtime = openRuntime({ threads: 2 });
const SHAPE = [2, 1, 3, 2, 2];
const CHANNELS = 2;

/** The losses written plainly in 64 bits. */
const REFERENCES: Record<LossName, (logits: Float64Array, target: Float64Array) => number> = {
  mse: (logits, target) => mean(logits.map((z, i) => (sigmoid(z) - (target[i] as number)) ** 2)),
  bce: crossEntropy,
  dice,
  'dice-bce': (logits, target) => dice(logits, target) + crossEntropy(logits, target),
};

function crossEntropy(logits: Float64Array, target: Float64Array): number {
  return mean(
    logits.map((z, i) => -(target[i] as number) * Math.log(sigmoid(z)) - (1 - (target[i] as number)) * Math.log(sigmoid(-z))),
  );
}

function dice(logits: Float64Array, target: Float64Array): number {
  let total = 0;
  for (let channel = 0; channel < CHANNELS; channel++) {
    let [overlap, sums] = [0, 0];
    for (let i = channel; i < logits.length; i += CHANNELS) {
      const [p, y] = [sigmoid(logits[i] as number), target[i] as number];
      overlap += p * y;
      sums += p + y;
    }
    total += 1 - (2 * overlap + 1) / (sums + 1);
  }
  return total / CHANNELS;
}

function sigmoid(z: number): number {
  return 1 / (1 + Math.exp(-z));
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function draw(seed: string, make: (random: Random) => number): Float64Array {
  const random = new Random(seed);
  return new Float64Array(24).map(() => Math.fround(make(random)));
}

describe.each(Object.keys(LOSSES) as LossName[])('the loss %s', (name) => {
  const logits = draw('logits', (random) => random.between(-3, 3));
  const target = draw('target', (random) => (random.chance(0.4) ? 1 : 0));

  it.each([1, 0.25])('agrees with its definition and its central differences, scaled by %d', (share) => {
    const before = runtime.liveTensors() - runtime.constantCount;
    const [z, y] = [logits, target].map((values) => runtime.tensor(Float32Array.from(values), SHAPE));
    if (z === undefined || y === undefined) throw new Error('two tensors');
    const { loss, gradient } = LOSSES[name].evaluate(runtime, z, y, share);
    const found = runtime.read(gradient);
    for (const tensor of [z, y, gradient]) tensor.free();
    expect(loss).toBeCloseTo(share * REFERENCES[name](logits, target), 5);
    const expected = centralDifferences(logits, () => share * REFERENCES[name](logits, target));
    expect(largestDifference(found, expected)).toBeLessThan(1e-6);
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });

  it('stays finite for very sure and wrong logits', () => {
    const z = runtime.tensor(Float32Array.of(200, -200, 90, -90), [1, 1, 1, 2, 2]);
    const y = runtime.tensor(Float32Array.of(0, 1, 1, 0), [1, 1, 1, 2, 2]);
    const { loss, gradient } = LOSSES[name].evaluate(runtime, z, y, 1);
    expect(Number.isFinite(loss)).toBe(true);
    expect(runtime.read(gradient).every((value) => Number.isFinite(value))).toBe(true);
    for (const tensor of [z, y, gradient]) tensor.free();
  });
});

describe('separable losses', () => {
  it('are the means of their examples, the others are not', () => {
    const logits = draw('logits', (random) => random.between(-3, 3));
    const target = draw('target', (random) => (random.chance(0.4) ? 1 : 0));
    for (const [name, loss] of Object.entries(LOSSES)) {
      const reference = REFERENCES[name as LossName];
      const halves = [0, 12].map((start) => reference(logits.subarray(start, start + 12), target.subarray(start, start + 12)));
      const difference = Math.abs(reference(logits, target) - (Number(halves[0]) + Number(halves[1])) / 2);
      expect([name, difference < 1e-9]).toEqual([name, loss.separable]);
    }
  });
});
