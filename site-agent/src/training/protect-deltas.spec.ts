import { digestOfBytes } from '@consilium/shared/kernel';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { decodeUpdate, subtractWeights, type WeightSet } from '@consilium/shared/weights';
import type { RoundPlan } from '@consilium/shared/wire';
import { CENTRAL, LOCAL, privatePlan } from '../../../test/fixtures/make-privacy.js';
import type { KeptState } from './kept-state.js';
import { makeUpdate, type TrainedRound } from './make-update.js';

const model = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
const base = initialWeights(model, 1);
const noise = { secret: Buffer.alloc(32, 3), participationId: 'part_1' };
const planUnder = (privacy: typeof LOCAL, changes: Partial<RoundPlan> = {}): RoundPlan =>
  privatePlan(privacy, { model, ...changes });

/** base with each weight moved by the same amount. */
function movedBy(amount: number): WeightSet {
  return base.map((tensor) => ({ ...tensor, values: tensor.values.map((value) => value + amount) }));
}

function make(plan: RoundPlan, trained: WeightSet, changes: Partial<TrainedRound> = {}) {
  return makeUpdate({ plan, base, kept: {}, mean: undefined, trained, last: trained, steps: 4, noise, ...changes });
}

const all = (weights: WeightSet): number[] => weights.flatMap(({ values }) => [...values]);
const normOf = (values: readonly number[]): number => Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0));
const plus = (one: readonly number[], other: readonly number[]): number[] =>
  one.map((value, index) => value + (other[index] ?? NaN));
const elements = all(base).length;
const noiseIn = (trained: WeightSet, plan = planUnder(LOCAL), changes: Partial<TrainedRound> = {}): number[] => {
  const plain = all(subtractWeights(trained, base));
  const factor = Math.min(1, 0.5 / normOf(plain));
  return all(decodeUpdate(make(plan, trained, changes).tensors)).map((value, index) => value - factor * (plain[index] ?? 0));
};

describe('update privacy at the site', () => {
  it('central: scales what is too large to the clip norm, over all tensors together, and leaves the rest as it is', () => {
    const small = all(decodeUpdate(make(planUnder(CENTRAL), movedBy(1e-4)).tensors));
    expect(small).toEqual(all(subtractWeights(movedBy(1e-4), base)));
    const large = all(decodeUpdate(make(planUnder(CENTRAL), movedBy(1)).tensors));
    expect(normOf(large)).toBeLessThanOrEqual(0.5);
    expect(normOf(large)).toBeGreaterThan(0.5 * (1 - 2e-6));
    const plain = all(subtractWeights(movedBy(1), base));
    const ratio = (large[7] ?? 0) / (plain[7] ?? 0);
    expect(Math.max(...large.map((value, index) => Math.abs(value / (plain[index] ?? 0) / ratio - 1)))).toBeLessThan(1e-6);
  });

  it('local: what is added to the clipped delta is normal, of the multiplier times the clip norm, in every tensor', () => {
    for (const amount of [0, 1e-5, 1]) {
      const added = noiseIn(movedBy(amount)).map((value) => value / (4 * 0.5));
      const mean = added.reduce((sum, value) => sum + value, 0) / elements;
      const square = added.reduce((sum, value) => sum + value ** 2, 0) / elements;
      expect(Math.abs(mean)).toBeLessThan(4.5 / Math.sqrt(elements));
      expect(Math.abs(square - 1)).toBeLessThan((4.5 * Math.SQRT2) / Math.sqrt(elements));
    }
    for (const { values } of decodeUpdate(make(planUnder(LOCAL), movedBy(0)).tensors)) {
      expect(values.every((value) => value !== 0)).toBe(true);
    }
  });

  it('local: the same update again is the same bytes; another participation, secret, plan or delta has other noise', () => {
    const bytes = (plan: RoundPlan, trained: WeightSet, changes: Partial<TrainedRound> = {}) =>
      digestOfBytes(Buffer.concat(make(plan, trained, changes).tensors.map(({ bytes }) => bytes)));
    const trained = movedBy(0.01);
    expect(bytes(planUnder(LOCAL), trained)).toBe(bytes(planUnder(LOCAL), trained));
    const first = noiseIn(trained);
    const others = [
      noiseIn(trained, planUnder(LOCAL), { noise: { ...noise, participationId: 'part_2' } }),
      noiseIn(trained, planUnder(LOCAL), { noise: { ...noise, secret: Buffer.alloc(32, 4) } }),
      noiseIn(trained, planUnder(LOCAL, { roundNumber: 2 })),
      noiseIn(movedBy(0.010001)),
    ];
    for (const other of others) {
      const correlation = first.reduce((sum, value, index) => sum + value * (other[index] ?? 0), 0) / elements / 4;
      expect(Math.abs(correlation)).toBeLessThan(4.5 / Math.sqrt(elements));
    }
  });

  it('local: noise comes before the number format, and error feedback carries noised numbers only', () => {
    const plan = planUnder(LOCAL, { updates: { format: 'int8', errorFeedback: true } });
    const noised = all(decodeUpdate(make(planUnder(LOCAL), movedBy(0.01)).tensors));
    const { tensors, next } = make(plan, movedBy(0.01), { noise });
    // The plans differ, so the noise does: what was sent and what is kept add up to something noised, far from the delta itself.
    const residual = all(next.residual ?? []);
    const sum = plus(all(decodeUpdate(tensors)), residual);
    expect(normOf(sum) / normOf(noised)).toBeCloseTo(1, 1);
    const kept: KeptState = { residual: next.residual };
    const again = make(plan, movedBy(0.01), { kept });
    const carried = plus(all(decodeUpdate(again.tensors)), all(again.next.residual ?? []));
    // The same noised delta, and what the first rounding took of it: nothing that was clipped off comes back.
    const farthest = carried.reduce(
      (most, value, index) => Math.max(most, Math.abs(value - (sum[index] ?? NaN) - (residual[index] ?? NaN))),
      0,
    );
    expect(farthest).toBeLessThan(1e-5);
  });

  it('local: never without the secret of the site', () => {
    expect(() => make(planUnder(LOCAL), movedBy(0), { noise: undefined })).toThrow(/secret/);
  });

  it('tells no norm but that of what leaves', () => {
    const updates = { format: 'f32', errorFeedback: false } as const;
    const { figures } = make(planUnder(CENTRAL, { updates }), movedBy(1));
    expect(figures?.deltaNorm).toBeCloseTo(0.5, 5);
  });
});
