import { Random } from '@consilium/shared/kernel';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { openRuntime } from '../../engine/open-runtime.js';
import { foreseeStep } from '../foresee-step.js';
import { Learner } from '../learner.js';
import type { PatchBatch } from '../patch-batch.js';
import type { GradientRule } from './gradient-rule.js';

const runtime = openRuntime({ threads: 1 });
const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
const RATE = 0.1;
const SGD: OptimizerPlan = { kind: 'sgd', learningRate: RATE, momentum: 0 };
const [weights, origin, summands] = [1, 2, 3].map((seed) => initialWeights(spec, seed)) as [WeightSet, WeightSet, WeightSet];
/** Biases before a norm have no effect and no gradient: nothing moves them. */
const isIdle = (name: string): boolean => /^[ed]\d\.[03]\.bias$/.test(name);

const PULL: GradientRule = { pull: 0.7, tensors: origin };
const CONSTANT: GradientRule = { tensors: summands };

function makeBatch(seed: number): PatchBatch {
  const random = new Random(`gradient-rule/${seed}`);
  const fill = (): Float32Array => new Float32Array(2 * 1024).map(() => random.uniform24());
  return { patches: 2, sizeVoxels: [16, 8, 8], input: fill(), target: fill() };
}

function withLearner<T>(rule: GradientRule | undefined, use: (learner: Learner) => T, optimizer = SGD): T {
  const learner = Learner.create({ runtime, spec, optimizer });
  try {
    learner.loadWeights(weights);
    learner.setGradientRule(rule);
    return use(learner);
  } finally {
    learner.dispose();
  }
}

const gradients = withLearner(undefined, (learner) => learner.lossAndGradients(makeBatch(0)).gradients);

/** Of all tensors in 64 bits: w − rate · g. */
function stepFrom(gradient: (tensor: number, i: number) => number): number[][] {
  return weights.map(({ values }, t) => [...values].map((w, i) => w - RATE * gradient(t, i)));
}

function valueAt(set: WeightSet, tensor: number, i: number): number {
  return set[tensor]?.values[i] ?? NaN;
}

function largestDifference(actual: WeightSet, expected: number[][]): number {
  let most = 0;
  for (const [t, { name, values }] of actual.entries()) {
    if (isIdle(name)) expect(values).toEqual(weights[t]?.values);
    else values.forEach((value, i) => (most = Math.max(most, Math.abs(value - (expected[t]?.[i] ?? NaN)))));
  }
  return most;
}

describe('what local rules add to the gradients', () => {
  const before = runtime.liveTensors() - runtime.constantCount;
  afterEach(() => expect(runtime.liveTensors() - runtime.constantCount).toBe(before));

  it.each<[string, GradientRule | undefined, (tensor: number, i: number) => number]>([
    ['nothing', undefined, () => 0],
    ['mu · (w − w0), as in FedProx', PULL, (t, i) => 0.7 * (valueAt(weights, t, i) - valueAt(origin, t, i))],
    ['c − cᵢ, as in SCAFFOLD', CONSTANT, (t, i) => valueAt(summands, t, i)],
  ])('%s: one step of SGD is the one computed by hand', (_what, rule, added) => {
    const after = withLearner(rule, (learner) => {
      learner.step(makeBatch(0));
      return learner.readWeights();
    });
    const expected = stepFrom((t, i) => valueAt(gradients, t, i) + added(t, i));
    expect(largestDifference(after, expected)).toBeLessThan(1e-6);
    if (rule !== undefined)
      expect(
        largestDifference(
          after,
          stepFrom((t, i) => valueAt(gradients, t, i)),
        ),
      ).toBeGreaterThan(0.01);
  });

  it('is clipped with the gradients, for it is part of the loss', () => {
    const clipNorm = 0.5;
    const after = withLearner(
      PULL,
      (learner) => {
        learner.step(makeBatch(0));
        return learner.readWeights();
      },
      { ...SGD, clipNorm },
    );
    const whole = weights.map(({ name, values }, t) =>
      [...values].map((w, i) => (isIdle(name) ? 0 : valueAt(gradients, t, i) + 0.7 * (w - valueAt(origin, t, i)))),
    );
    const norm = Math.sqrt(whole.flat().reduce((sum, x) => sum + x * x, 0));
    expect(norm).toBeGreaterThan(2 * clipNorm);
    expect(
      largestDifference(
        after,
        stepFrom((t, i) => ((whole[t]?.[i] ?? NaN) * clipNorm) / norm),
      ),
    ).toBeLessThan(1e-6);
  });

  it('is added once to the sum of a batch that is computed in passes', () => {
    const inPasses = (patchesPerPass: number): WeightSet => {
      const learner = Learner.create({ runtime, spec, optimizer: SGD, patchesPerPass });
      learner.loadWeights(weights);
      learner.setGradientRule(CONSTANT);
      learner.step(makeBatch(0));
      const after = learner.readWeights();
      learner.dispose();
      return after;
    };
    expect(
      largestDifference(
        inPasses(1),
        inPasses(2).map(({ values }) => [...values]),
      ),
    ).toBeLessThan(1e-6);
  });

  it('leaves parameters alone that it does not name', () => {
    const [named] = origin;
    const after = withLearner({ pull: 0.7, tensors: origin.slice(0, 1) }, (learner) => {
      learner.step(makeBatch(0));
      return learner.readWeights();
    });
    const expected = stepFrom((t, i) => {
      return valueAt(gradients, t, i) + (t === 0 ? 0.7 * (valueAt(weights, t, i) - (named?.values[i] ?? NaN)) : 0);
    });
    expect(largestDifference(after, expected)).toBeLessThan(1e-6);
  });

  it.each([
    ['pull', PULL],
    ['constant', CONSTANT],
  ])('keeps no tensor over 30 steps, and writes into none of the given arrays: %s', (_what, rule) => {
    const copy = structuredClone(rule);
    withLearner(rule, (learner) => {
      learner.step(makeBatch(0));
      const live = learner.liveTensors();
      for (let step = 1; step <= 30; step++) learner.step(makeBatch(step % 3));
      expect(learner.liveTensors()).toBe(live);
      learner.setGradientRule(rule);
      expect(learner.liveTensors()).toBe(live);
    });
    expect(rule).toEqual(copy);
  });

  it('is foreseen in the memory plan: one copy of the weights', () => {
    const step = { spec, optimizer: SGD, patches: 2, sizeVoxels: [16, 8, 8] } as const;
    const active = weights.filter(({ name }) => !isIdle(name)).reduce((sum, { values }) => sum + values.length, 0);
    const [plain, ruled] = [foreseeStep(step), foreseeStep({ ...step, withRule: true })];
    expect(ruled.steadyBytes - plain.steadyBytes).toBe(4 * active);
    expect(ruled.peakBytes - plain.peakBytes).toBeGreaterThanOrEqual(4 * active);
  });

  it.each([
    ['pull', PULL],
    ['constant', CONSTANT],
  ])('gives the same bits when training is saved and loaded midway: %s', (_what, rule) => {
    const momentum: OptimizerPlan = { kind: 'sgd', learningRate: RATE, momentum: 0.9 };
    const steps = (learner: Learner, ...numbers: number[]) => {
      for (const step of numbers) learner.step(makeBatch(step));
      return { weights: learner.readWeights(), state: learner.readOptimizerState() };
    };
    const straight = withLearner(rule, (learner) => steps(learner, 0, 1, 2, 3), momentum);
    const saved = withLearner(rule, (learner) => steps(learner, 0, 1), momentum);
    const resumed = withLearner(
      rule,
      (learner) => {
        learner.loadWeights(saved.weights);
        learner.loadOptimizerState(saved.state);
        return steps(learner, 2, 3);
      },
      momentum,
    );
    expect(resumed).toEqual(straight);
  });
});
