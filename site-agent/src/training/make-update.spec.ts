import { Random } from '@consilium/shared/kernel';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { addWeights, decodeUpdate, SCALE_SUFFIX, subtractWeights, type WeightSet } from '@consilium/shared/weights';
import { localTrainingSchema, objectiveSchema, type RoundPlan } from '@consilium/shared/wire';
import { makeTrainAssignment } from '../../../test/fixtures/make-assignment.js';
import type { KeptState } from './kept-state.js';
import { makeUpdate, type TrainedRound } from './make-update.js';

const model = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1 });
const base = initialWeights(model, 1);
const training = localTrainingSchema.parse({ steps: 4, optimizer: { kind: 'sgd', learningRate: 0.5, momentum: 0 } });

function planWith(changes: Partial<RoundPlan>): RoundPlan {
  return { ...makeTrainAssignment().plan, model, training, ...changes };
}

/** base + a small change with a direction of its own and much noise, as rounds have. */
function trainedFrom(round: number): WeightSet {
  const random = new Random(`make-update/${round}`);
  return base.map((tensor) => ({
    ...tensor,
    values: tensor.values.map((value) => value + 1e-4 + random.between(-1, 1) * 1e-2),
  }));
}

function make(plan: RoundPlan, trained: WeightSet, kept: KeptState = {}, changes: Partial<TrainedRound> = {}) {
  return makeUpdate({ plan, base, kept, mean: undefined, trained, last: trained, steps: 4, ...changes });
}

function norm(weights: WeightSet): number {
  return Math.sqrt(weights.reduce((sum, { values }) => sum + values.reduce((part, x) => part + x * x, 0), 0));
}

describe('the update of a round', () => {
  it('is trained − base in 32 bits, and nothing is kept or reported, where a plan says nothing', () => {
    const trained = trainedFrom(0);
    const { tensors, next, figures } = make(planWith({}), trained);
    expect(decodeUpdate(tensors)).toEqual(subtractWeights(trained, base));
    expect([next, figures]).toEqual([{}, undefined]);
  });

  it.each(['f16', 'bf16', 'int8'] as const)(
    '%s: what was delivered and what is kept add up to what was trained, round after round',
    (format) => {
      const plan = planWith({ updates: { format, errorFeedback: true } });
      const zero = subtractWeights(base, base);
      let [kept, delivered, wanted, blind]: [KeptState, WeightSet, WeightSet, WeightSet] = [{}, zero, zero, zero];
      for (let round = 0; round < 12; round++) {
        const trained = trainedFrom(round);
        const { tensors, next, figures } = make(plan, trained, kept);
        expect(figures?.encodingError).toBeGreaterThan(0);
        expect(figures?.deltaNorm).toBeCloseTo(norm(subtractWeights(trained, base)), 5);
        expect(figures?.encodingError).toBeCloseTo(
          norm(next.residual ?? []) / norm(addWeights(subtractWeights(trained, base), kept.residual ?? zero)),
          6,
        );
        kept = next;
        delivered = addWeights(delivered, decodeUpdate(tensors));
        wanted = addWeights(wanted, subtractWeights(trained, base));
        blind = addWeights(blind, decodeUpdate(make(planWith({ updates: { format, errorFeedback: false } }), trained).tensors));
      }
      expect(norm(subtractWeights(addWeights(delivered, kept.residual ?? []), wanted)) / norm(wanted)).toBeLessThan(1e-5);
      // One round's rounding is still to come; without feedback the rounding of all rounds is lost.
      const withFeedback = norm(subtractWeights(delivered, wanted));
      expect(withFeedback).toBeLessThan(0.6 * norm(subtractWeights(blind, wanted)));
    },
  );

  it('keeps nothing where nothing is lost, or feedback is off', () => {
    expect(make(planWith({ updates: { format: 'f32', errorFeedback: true } }), trainedFrom(0)).next).toEqual({});
    const off = make(planWith({ updates: { format: 'int8', errorFeedback: false } }), trainedFrom(0), { residual: base });
    expect(off.next).toEqual({});
    expect(off.tensors).toEqual(make(planWith({ updates: { format: 'int8', errorFeedback: false } }), trainedFrom(0)).tensors);
  });

  it('leaves out what the site has not trained, and owes what earlier roundings took of it', () => {
    const plan = planWith({ updates: { format: 'int8', errorFeedback: true } });
    const leavesOut = (name: string): boolean => name.startsWith('out.');
    const before = make(plan, trainedFrom(0)).next;
    const { tensors, next } = make(plan, trainedFrom(1), before, { leavesOut });
    expect(tensors.some(({ name }) => leavesOut(name))).toBe(false);
    const owed = (kept: KeptState) => kept.residual?.filter(({ name }) => leavesOut(name));
    expect(owed(next)).toEqual(owed(before));
    expect(owed(make(plan, trainedFrom(1), {}, { leavesOut }).next)?.every(({ values }) => values.every((x) => x === 0))).toBe(
      true,
    );
    const rest = (all: typeof tensors) => all.filter(({ name }) => !leavesOut(name));
    expect(tensors).toEqual(rest(make(plan, trainedFrom(1), before).tensors));
  });

  it('holds the representation alone where the adversary has rounds of its own', () => {
    const model = modelSpecSchema.parse({ architecture: 'universal-model', width: 1, norm: 'instance', scaleFeatures: 1 });
    const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'frozen' } });
    const base = initialWeights(model, 1);
    const trained = base.map((tensor) => ({ ...tensor, values: tensor.values.map((value) => value + 0.25) }));
    const plan = planWith({ model, objective, updates: { format: 'f16', errorFeedback: true } });
    const { tensors, next } = makeUpdate({ plan, base, kept: {}, mean: undefined, trained, last: trained, steps: 4 });
    const expected = base.map(({ name }) => name).filter((name) => !name.startsWith('modality.'));
    expect(tensors.map(({ name }) => name)).toEqual(expected);
    expect(next.residual?.map(({ name }) => name)).toEqual(expected);
  });

  it('leaves what is the site’s own at the site', () => {
    const plan = planWith({ siteLocal: ['norms'], updates: { format: 'int8', errorFeedback: true } });
    const trained = trainedFrom(0);
    const { tensors, next } = make(plan, trained);
    const isNorm = (name: string): boolean => /^[ed]\d\.[14]\./.test(name);
    expect(tensors.some(({ name }) => isNorm(name))).toBe(false);
    expect(tensors.filter(({ name }) => !name.endsWith(SCALE_SUFFIX)).length).toBe(
      base.filter(({ name }) => !isNorm(name)).length,
    );
    expect(next.siteLocal).toEqual(trained.filter(({ name }) => isNorm(name)));
    expect(next.residual?.some(({ name }) => isNorm(name))).toBe(false);
  });

  it('delivers the change of the control variates from the last weights, though an average is delivered', () => {
    const plan = planWith({ localRule: { kind: 'control-variates', control: null } });
    const [average, last] = [trainedFrom(1), trainedFrom(2)];
    const { tensors, next } = make(plan, average, {}, { last });
    const control = decodeUpdate(tensors).filter(({ name }) => name.startsWith('control/'));
    expect(control.map(({ name }) => name)).toEqual(base.map(({ name }) => `control/${name}`));
    control.forEach(({ values }, t) =>
      values.forEach((value, i) => {
        const [x, y] = [base[t]?.values[i] ?? NaN, last[t]?.values[i] ?? NaN];
        expect(value).toBe(Math.fround((x - y) / (4 * 0.5)));
      }),
    );
    expect(next.control).toEqual(control.map((tensor) => ({ ...tensor, name: tensor.name.slice('control/'.length) })));
  });

  it('moves the site’s control variate by what the coordinator reads, so that rounding parts nobody from the mean', () => {
    const plan = planWith({
      localRule: { kind: 'control-variates', control: null },
      updates: { format: 'int8', errorFeedback: true },
    });
    let kept: KeptState = {};
    let known: WeightSet | undefined;
    for (let round = 0; round < 5; round++) {
      const { tensors, next } = make(plan, trainedFrom(round), kept, { mean: known });
      const change = decodeUpdate(tensors)
        .filter(({ name }) => name.startsWith('control/'))
        .map((tensor) => ({ ...tensor, name: tensor.name.slice('control/'.length) }));
      known = known === undefined ? change : addWeights(known, change); // one site: the mean is its own
      kept = next;
      expect(kept.control).toEqual(known);
    }
  });

  it('is refused when something is no longer finite', () => {
    const broken = trainedFrom(0).map((tensor, t) => (t === 3 ? { ...tensor, values: tensor.values.map(() => NaN) } : tensor));
    const name = broken[3]?.name ?? '';
    const refusal = expect.objectContaining({
      code: 'TRAINING_DIVERGED',
      message: expect.stringContaining(name) as string,
    }) as Error;
    expect(() => make(planWith({}), broken)).toThrow(refusal);
    expect(() => make(planWith({ siteLocal: [name] }), broken)).toThrow(refusal);
    const far = trainedFrom(0).map((tensor) => ({ ...tensor, values: tensor.values.map(() => 1e6) }));
    const tooLarge = expect.objectContaining({ code: 'UPDATE_NOT_FINITE' }) as Error;
    expect(() => make(planWith({ updates: { format: 'f16', errorFeedback: true } }), far)).toThrow(tooLarge);
  });
});
