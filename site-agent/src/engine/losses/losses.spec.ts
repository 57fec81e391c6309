import { Random } from '@consilium/shared/kernel';
import { centralDifferences, largestDifference } from '../../../../test/fixtures/gradient-check.js';
import {
  diceOverClasses,
  entropyOverClasses,
  focalOf,
  focalOverClasses,
  type LossReference,
  meanOf,
  PLAIN,
  sumOf,
} from '../../../../test/fixtures/loss-references.js';
import type { Dense } from '../../../../test/fixtures/run-layer.js';
import { openRuntime } from '../open-runtime.js';
import { Runtime } from '../runtime/runtime.js';
import { ShapeBinding } from '../shapes/shape-binding.js';
import { createLoss } from './create-loss.js';
import type { Loss } from './loss.js';
import { type LossChoice, type LossName, lossPlanSchema } from './loss-plan.js';

const runtime = openRuntime({ threads: 2 });

interface Case {
  readonly plan: LossChoice;
  readonly reference: LossReference;
}

const weights = [0.5, 2, 0, 1.25];
const IGNORED = 255;

/** Losses that compare each output with a value of its own. */
const OF_OUTPUTS: Record<string, Case> = {
  ...Object.fromEntries(
    (Object.keys(PLAIN) as (keyof typeof PLAIN)[]).map((kind) => [kind, { plan: { kind }, reference: PLAIN[kind] }]),
  ),
  'focal, gamma 0, no weights': { plan: { kind: 'focal', gamma: 0, alpha: null }, reference: PLAIN.bce },
  'focal, gamma 0.5': { plan: { kind: 'focal', gamma: 0.5, alpha: 0.75 }, reference: meanOf(focalOf(0.5, 0.75)) },
};

/** Losses that compare all outputs with one class number. */
const OF_LABELS: Record<string, Case> = {
  'cross-entropy': { plan: { kind: 'cross-entropy' }, reference: entropyOverClasses() },
  'cross-entropy with class weights': {
    plan: { kind: 'cross-entropy', classWeights: weights },
    reference: entropyOverClasses({ classWeights: weights }),
  },
  'cross-entropy that ignores a number': {
    plan: { kind: 'cross-entropy', ignoreLabel: IGNORED },
    reference: entropyOverClasses({ ignoreLabel: IGNORED }),
  },
  'cross-entropy that ignores a class and weighs': {
    plan: { kind: 'cross-entropy', classWeights: weights, ignoreLabel: 0 },
    reference: entropyOverClasses({ classWeights: weights, ignoreLabel: 0 }),
  },
  'softmax-dice': { plan: { kind: 'softmax-dice' }, reference: diceOverClasses() },
  'softmax-dice with background, per example': {
    plan: { kind: 'softmax-dice', background: true, smoothing: 1, over: 'example' },
    reference: diceOverClasses({ background: true, smoothing: 1, over: 'example' }),
  },
  'softmax-dice that ignores a number, per example': {
    plan: { kind: 'softmax-dice', smoothing: 0, over: 'example', ignoreLabel: IGNORED },
    reference: diceOverClasses({ smoothing: 0, over: 'example', ignoreLabel: IGNORED }),
  },
  'dice-ce': { plan: { kind: 'dice-ce' }, reference: sumOf(diceOverClasses(), entropyOverClasses()) },
  'dice-ce with all options': {
    plan: {
      kind: 'dice-ce',
      background: true,
      smoothing: 0.5,
      over: 'example',
      classWeights: weights,
      ignoreLabel: IGNORED,
      diceWeight: 0.75,
      crossEntropyWeight: 2,
    },
    reference: sumOf(
      diceOverClasses({ background: true, smoothing: 0.5, over: 'example', ignoreLabel: IGNORED }),
      entropyOverClasses({ classWeights: weights, ignoreLabel: IGNORED }),
      [0.75, 2],
    ),
  },
  'softmax-focal': { plan: { kind: 'softmax-focal' }, reference: focalOverClasses(2) },
  'softmax-focal, gamma 0': { plan: { kind: 'softmax-focal', gamma: 0 }, reference: entropyOverClasses() },
  'softmax-focal with weights that ignores a number': {
    plan: { kind: 'softmax-focal', gamma: 0.5, classWeights: weights, ignoreLabel: IGNORED },
    reference: focalOverClasses(0.5, { classWeights: weights, ignoreLabel: IGNORED }),
  },
};
const CASES = { ...OF_OUTPUTS, ...OF_LABELS };

/** Voxels, and none: the answers of a classifier. */
const SHAPES = [
  [2, 1, 3, 2, 4],
  [1, 1, 1, 1, 4],
  [6, 4],
];

function draw(seed: string, shape: readonly number[], make: (random: Random) => number): Dense {
  const random = new Random(seed);
  const count = shape.reduce((product, side) => product * side, 1);
  return { shape, values: new Float64Array(count).map(() => Math.fround(make(random))) };
}

function drawLogits(shape: readonly number[]): Dense {
  return draw('logits', shape, (random) => random.between(-3, 3));
}

/** Hard and soft values for losses of outputs, class numbers for the others, some of them ignored. */
function drawTarget({ plan }: Case, shape: readonly number[]): Dense {
  const { targetChannels } = createLoss(plan);
  if (targetChannels === undefined) {
    return draw('target', shape, (random) => (random.chance(0.2) ? random.uniform() : random.chance(0.4) ? 1 : 0));
  }
  const ignores = 'ignoreLabel' in plan && plan.ignoreLabel === IGNORED;
  const one = shape.with(-1, targetChannels);
  const { values } = draw('labels', one, (random) =>
    ignores && random.chance(0.3) ? IGNORED : Math.floor(random.uniform() * 4),
  );
  values[0] = 1; // at least one voxel counts
  return { shape: one, values };
}

function evaluate(loss: Loss, logits: Dense, target: Dense, share = 1): { loss: number; gradient: Float32Array; leaked: number } {
  const before = runtime.liveTensors() - runtime.constantCount;
  const tensors = [logits, target].map(({ shape, values }) => runtime.tensor(Float32Array.from(values), shape));
  const [z, t] = tensors;
  if (z === undefined || t === undefined) throw new Error('two tensors');
  const value = loss.evaluate(runtime, z, t, share);
  const gradient = runtime.read(value.gradient);
  expect(value.gradient.shape).toEqual([...logits.shape]);
  for (const tensor of [...tensors, value.gradient]) tensor.free();
  return { loss: value.loss, gradient, leaked: runtime.liveTensors() - runtime.constantCount - before };
}

describe.each(Object.keys(CASES))('the loss %s', (name) => {
  const { plan, reference } = CASES[name] as Case;
  const loss = createLoss(plan);

  it.each(SHAPES.flatMap((shape) => [1, 0.25].map((share) => [shape.join(' × '), share, shape] as const)))(
    'agrees with its definition and its central differences: %s, scaled by %d',
    (_name, share, shape) => {
      const [logits, target] = [drawLogits(shape), drawTarget(CASES[name] as Case, shape)];
      const found = evaluate(loss, logits, target, share);
      expect(found.loss).toBeCloseTo(share * reference(logits, target), 5);
      const expected = centralDifferences(logits.values, () => share * reference(logits, target));
      expect(largestDifference(found.gradient, expected)).toBeLessThan(1e-6);
      expect(found.leaked).toBe(0);
    },
  );

  it('runs on shapes alone, for forecasts', () => {
    const shapes = new Runtime(new ShapeBinding());
    const [logits, target] = [drawLogits([2, 3, 1, 2, 4]), drawTarget(CASES[name] as Case, [2, 3, 1, 2, 4])];
    const [z, t] = [logits, target].map(({ shape, values }) => shapes.tensor(Float32Array.from(values), shape));
    if (z === undefined || t === undefined) throw new Error('two tensors');
    const { gradient } = loss.evaluate(shapes, z, t, 1);
    expect(gradient.shape).toEqual(logits.shape);
    for (const tensor of [z, t, gradient]) tensor.free();
    expect(shapes.liveTensors() - shapes.constantCount).toBe(0);
  });

  it('stays finite for very sure logits, right and wrong', () => {
    const logits = { shape: [1, 2, 1, 1, 4], values: Float64Array.of(200, -200, 90, -90, -1e4, 1e4, 0, 0) };
    for (const labels of [
      [0, 1],
      [1, 0],
    ]) {
      const target =
        loss.targetChannels === undefined
          ? { shape: logits.shape, values: Float64Array.of(...[0, 1, 1, 0], ...[1, 0, 1, 0]) }
          : { shape: [1, 2, 1, 1, 1], values: Float64Array.from(labels) };
      const found = evaluate(loss, logits, target);
      expect([found.loss, ...found.gradient].every(Number.isFinite)).toBe(true);
    }
  });

  it('is separable if, and only if, it is the mean of its examples', () => {
    const shape = [2, 1, 3, 2, 4];
    const [logits, target] = [drawLogits(shape), drawTarget(CASES[name] as Case, shape)];
    const half = ({ shape: whole, values }: Dense, first: boolean): Dense => {
      const size = values.length / 2;
      return { shape: whole.with(0, 1), values: values.subarray(first ? 0 : size, first ? size : 2 * size) };
    };
    const halves = [true, false].map((first) => reference(half(logits, first), half(target, first)));
    const difference = Math.abs(reference(logits, target) - (Number(halves[0]) + Number(halves[1])) / 2);
    expect(loss.separable).toBe(difference < 1e-9);
  });
});

describe('losses of class numbers', () => {
  const logits = drawLogits([2, 4]);

  it.each([4, -1, 255])('refuse the label %d among four classes, and leave nothing behind', (label) => {
    const target = { shape: [2, 1], values: Float64Array.of(1, label) };
    for (const { plan } of Object.values(OF_LABELS)) {
      if ('ignoreLabel' in plan && plan.ignoreLabel === label) continue;
      const before = runtime.liveTensors() - runtime.constantCount;
      const tensors = [logits, target].map(({ shape, values }) => runtime.tensor(Float32Array.from(values), shape));
      const [z, t] = tensors as [(typeof tensors)[number], (typeof tensors)[number]];
      expect(() => createLoss(plan).evaluate(runtime, z, t, 1)).toThrow(`the label ${label} is none of the 4 classes`);
      for (const tensor of tensors) tensor.free();
      expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
    }
  });

  it('teach nothing when no voxel counts', () => {
    const target = { shape: [2, 1], values: Float64Array.of(IGNORED, IGNORED) };
    for (const kind of ['cross-entropy', 'softmax-focal', 'softmax-dice'] as const) {
      const { gradient, loss } = evaluate(createLoss({ kind, ignoreLabel: IGNORED }), logits, target);
      expect([kind, Number.isFinite(loss)]).toEqual([kind, true]);
      expect(gradient.every((value) => value === 0)).toBe(true);
    }
  });

  it('refuse weights for another number of classes', () => {
    const plan: LossChoice = { kind: 'cross-entropy', classWeights: [1, 2] };
    expect(() => evaluate(createLoss(plan), logits, { shape: [2, 1], values: Float64Array.of(0, 1) })).toThrow(
      '2 class weights do not fit 4 classes',
    );
  });
});

describe('plans of losses', () => {
  const LOSS_NAMES = lossPlanSchema.options.flatMap(({ shape: { kind } }): LossName[] =>
    'options' in kind ? kind.options : [...kind.values],
  );

  it('name every loss, with the defaults that createLoss has', () => {
    for (const name of LOSS_NAMES) {
      const plan = lossPlanSchema.parse({ kind: name });
      const shape = [2, 1, 3, 2, 4];
      const [logits, target] = [drawLogits(shape), drawTarget({ plan, reference: PLAIN.mse }, shape)];
      expect(evaluate(createLoss(plan), logits, target)).toEqual(evaluate(createLoss(name), logits, target));
    }
  });

  it.each([
    { kind: 'hinge' },
    { kind: 'mse', gamma: 2 },
    { kind: 'focal', alpha: 1.5 },
    { kind: 'cross-entropy', classWeights: [1, -1] },
    { kind: 'softmax-dice', smoothing: -1 },
  ])('refuse %j', (plan) => {
    expect(lossPlanSchema.safeParse(plan).success).toBe(false);
  });
});
