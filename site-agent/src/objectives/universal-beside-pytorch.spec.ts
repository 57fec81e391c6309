import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ADVERSARY_PREFIX, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors, subtractWeights, type WeightSet } from '@consilium/shared/weights';
import { adversaryPlanSchema, type UniversalObjective } from '@consilium/shared/wire';
import { madeFractions, madeWeights } from '../../../test/fixtures/made-network-values.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { openRuntime } from '../engine/open-runtime.js';
import { Runtime } from '../engine/runtime/runtime.js';
import { Learner, type LearnerOptions } from '../training/learner.js';
import type { PatchBatch } from '../training/patch-batch.js';
import type { ObjectiveChoice } from './create-objective.js';

interface Case {
  seed: number;
  losses: { restorationWeight?: number; scaleWeight?: number; adversary?: object };
}

interface Index {
  learningRate: number;
  progress: number;
  sides: [number, number, number];
  modalities: number[];
  scales: number[];
  spec: object;
  cases: Record<string, Case>;
}

const FOLDER = join(PROJECT_ROOT, 'test/fixtures/universal-goldens');
const index = JSON.parse(readFileSync(join(FOLDER, 'cases.json'), 'utf8')) as Index;
const spec = modelSpecSchema.parse(index.spec);
const patches = index.modalities.length;
const native = openRuntime({ threads: 2 });

/** Of a tensor's gradient. */
const RELATIVE_ERROR = 2e-3;
/** Of the largest tensor's: what 32 bits leave where a norm takes away nearly all of a gradient. */
const NOISE = 2e-6;
const LOSS_DIGITS = 4;

/** Biases that an instance norm takes away again. */
const IDLE = /(^[ed]\d\.[03]|m\d\.0)\.bias$/;

function batchOf({ seed }: Case): PatchBatch {
  const voxels = patches * index.sides[0] * index.sides[1] * index.sides[2];
  const [input, target] = [0, 1].map((stream) => Float32Array.from(madeFractions(seed, stream, voxels)));
  const labels = { modality: index.modalities, scale: index.scales };
  return { patches, sizeVoxels: index.sides, input: input ?? new Float32Array(), target: target ?? new Float32Array(), labels };
}

/** At the progress that the goldens are for, without a warm-up. */
function objectiveOf(name: string, { losses }: Case): ObjectiveChoice {
  if (name === 'adversary') return { kind: 'adversary' };
  const adversary = adversaryPlanSchema.parse({ ...losses.adversary, ...(name === 'none' ? {} : { warmUpShare: 0 }) });
  const weights = losses as Pick<UniversalObjective, 'restorationWeight' | 'scaleWeight'>;
  const steps = 1000;
  return { kind: 'universal-model', losses: { ...weights, adversary }, clock: { stepsBefore: index.progress * steps, steps } };
}

function withLearner<T>(name: string, options: Partial<LearnerOptions>, use: (learner: Learner, batch: PatchBatch) => T): T {
  const golden = index.cases[name] as Case;
  const learner = Learner.create({ runtime: native, spec, objective: objectiveOf(name, golden), ...options });
  learner.loadWeights(madeWeights(spec, golden.seed));
  try {
    return use(learner, batchOf(golden));
  } finally {
    learner.dispose();
  }
}

async function goldenOf(name: string): Promise<{ loss: number; named: (prefix: string) => WeightSet }> {
  const { weights } = await readSafetensors(join(FOLDER, `${name}.safetensors`));
  return {
    loss: weights.find((tensor) => tensor.name === 'loss')?.values[0] ?? NaN,
    named: (prefix) =>
      weights.flatMap((tensor) =>
        tensor.name.startsWith(prefix) ? [{ ...tensor, name: tensor.name.slice(prefix.length) }] : [],
      ),
  };
}

function size(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

/** Each tensor beside PyTorch's; those that PyTorch does not train must be nothing but zeros. */
function expectAlike(actual: WeightSet, expected: WeightSet): void {
  const wanted = new Map(expected.map(({ name, values }) => [name, values]));
  const largest = Math.max(...expected.map(({ values }) => size(values)));
  const misfits = actual.flatMap(({ name, values }) => {
    const other = wanted.get(name) ?? new Float32Array(values.length);
    const error = size(values.map((value, i) => value - (other[i] as number)));
    const allowed = wanted.has(name) ? RELATIVE_ERROR * size(other) + NOISE * largest : 0;
    return error <= allowed ? [] : [{ name, error: error / size(other), share: size(other) / largest }];
  });
  expect(misfits).toEqual([]);
}

describe.each(['none', 'reversal', 'frozen', 'adversary'])('the objective with the adversary form "%s"', (name) => {
  it.each([
    ['oneDNN’s kernels', {}],
    ['public kernels', { runtime: new Runtime(native.binding) }],
    ['each patch by itself', { voxelsPerPass: 1 }],
    ['passes of three patches, blocks computed again', { patchesPerPass: 3, voxelsPerPass: 1e9, memory: 'leanest' }],
  ] as const)('has PyTorch’s 64-bit loss and gradients: %s', async (_how, options) => {
    const { loss, named } = await goldenOf(name);
    const { runtime = native } = options as Partial<LearnerOptions>;
    const before = runtime.liveTensors() - runtime.constantCount;
    const actual = withLearner(name, options, (learner, batch) => learner.lossAndGradients(batch));
    expect(actual.loss).toBeCloseTo(loss, LOSS_DIGITS);
    expectAlike(actual.gradients, named('gradient.'));
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });
});

describe('the alternating form', () => {
  it.each([1, 1e9])(
    'steps the adversary, then all else against it, with PyTorch’s gradients, %d voxels at once',
    async (voxelsPerPass) => {
      const { loss, named } = await goldenOf('alternating');
      const optimizer = { kind: 'sgd', learningRate: index.learningRate, momentum: 0.9 } as const;
      const { found, slopes } = withLearner('alternating', { optimizer, voxelsPerPass }, (learner, batch) => {
        expect(learner.turnsOfStep).toBe(2);
        const last = learner.step(batch);
        // After the first step the momentum is the gradient.
        const slopes = learner.readOptimizerState().map((slot) => ({ ...slot, name: slot.name.replace(/^.*velocity\./, '') }));
        return { found: last, slopes: slopes.filter(({ name }) => !name.endsWith('step')) };
      });
      expect(found).toBeCloseTo(loss, LOSS_DIGITS);
      const expected = named('gradient.');
      expect(expected.some(({ name }) => name.startsWith(ADVERSARY_PREFIX))).toBe(true);
      const names = (set: WeightSet): string[] => set.map(({ name }) => name).sort();
      expect(names(slopes)).toEqual(names(expected).filter((name) => !IDLE.test(name)));
      expectAlike(slopes, expected);
    },
  );
});

describe('gradient reversal', () => {
  /** Gradients of the next step's first turn, of the encoder alone. */
  function encoderGradients(adversary: object): WeightSet {
    const golden = index.cases['reversal'] as Case;
    const objective = objectiveOf('reversal', { ...golden, losses: { ...golden.losses, adversary } });
    return withLearner('reversal', { objective }, (learner, batch) => learner.lossAndGradients(batch).gradients).filter(
      ({ name }) => /^e[1-4]\./.test(name),
    );
  }

  function crossEntropyAt(weights: WeightSet): number {
    return withLearner('reversal', { objective: { kind: 'adversary' } }, (learner, batch) => {
      learner.loadWeights(weights);
      return learner.lossAndGradients(batch).loss;
    });
  }

  it('takes the encoder up the modality’s cross-entropy, λ · weight times as steeply as finite differences say', () => {
    const golden = index.cases['reversal'] as Case;
    const [weight, rampSlope] = [2, 4];
    const pulled = encoderGradients({ mode: 'reversal', weight, rampSlope });
    const pull = subtractWeights(pulled, encoderGradients({ mode: 'reversal', weight: 0 }));
    const length = Math.sqrt(pull.reduce((sum, { values }) => sum + size(values) ** 2, 0));
    const start = madeWeights(spec, golden.seed);
    const along = (distance: number): WeightSet =>
      start.map((tensor) => {
        const direction = pull.find(({ name }) => name === tensor.name)?.values;
        const values = tensor.values.map((value, i) => value - (distance * (direction?.[i] ?? 0)) / length);
        return { ...tensor, values };
      });
    const h = 1e-4; // further away the loss curves
    const slope = (crossEntropyAt(along(h)) - crossEntropyAt(along(-h))) / (2 * h);
    const strength = 2 / (1 + Math.exp(-rampSlope * index.progress)) - 1;
    expect(slope).toBeGreaterThan(0); // a step down this gradient makes the adversary worse
    expect(length / (strength * weight * slope)).toBeCloseTo(1, 2);
  });
});
