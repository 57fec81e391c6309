import { ADVERSARY_PREFIX, modelSpecSchema, SCALE_PREFIX, universalBackbone } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import {
  UNIVERSAL_SIZE,
  UNIVERSAL_SPEC,
  universalBatch,
  universalChoice,
  universalWeights,
} from '../../../test/fixtures/made-universal.js';
import { openRuntime } from '../engine/open-runtime.js';
import { PUBLIC_ONLY, Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import type { ObjectiveChoice } from '../objectives/create-objective.js';
import { foreseeStep } from './foresee-step.js';
import { Learner } from './learner.js';

const runtime = openRuntime({ threads: 2 });
const ADAMW = { kind: 'adamw', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.1 } as const;
const FORMS = [{ mode: 'none' }, { mode: 'reversal' }, { mode: 'alternating' }, { mode: 'frozen' }] as const;

function withLearner<T>(objective: ObjectiveChoice, use: (learner: Learner) => T, seed = 1): T {
  const learner = Learner.create({ runtime, spec: UNIVERSAL_SPEC, optimizer: ADAMW, objective });
  learner.loadWeights(universalWeights(seed));
  try {
    return use(learner);
  } finally {
    learner.dispose();
  }
}

function trained(objective: ObjectiveChoice, steps: number): WeightSet {
  return withLearner(objective, (learner) => {
    for (let step = 0; step < steps; step++) learner.step(universalBatch(`${step}`, 4));
    return learner.readWeights();
  });
}

/** Names of the tensors that training changed. */
function changed(objective: ObjectiveChoice): string[] {
  const start = universalWeights();
  return trained(objective, 2).flatMap(({ name, values }, i) =>
    values.every((v, j) => v === start[i]?.values[j]) ? [] : [name],
  );
}

describe('a model whose heads are left alone', () => {
  const backbone = modelSpecSchema.parse(universalBackbone(UNIVERSAL_SPEC));
  const idle = universalChoice({ mode: 'none' }, { restorationWeight: 1, scaleWeight: 0 });

  it('trains its U-Net to the same bits and the same losses as the U-Net alone', () => {
    const alone = Learner.create({ runtime, spec: backbone, optimizer: ADAMW });
    const names = new Set(alone.readWeights().map(({ name }) => name));
    alone.loadWeights(universalWeights().filter(({ name }) => names.has(name)));
    const batches = [0, 1].map((step) => universalBatch(`${step}`, 4));
    const [losses, weights] = [batches.map((batch) => alone.step(batch)), alone.readWeights()];
    const predicted = alone.predict(universalBatch('p', 2).input, 2, UNIVERSAL_SIZE);
    alone.dispose();
    withLearner(idle, (learner) => {
      expect(batches.map((batch) => learner.step(batch))).toEqual(losses);
      expect(learner.readWeights().slice(0, weights.length)).toEqual(weights);
      expect(learner.predict(universalBatch('p', 2).input, 2, UNIVERSAL_SIZE)).toEqual(predicted);
    });
  });

  it('costs no operation and no multiplication more', () => {
    const common = { optimizer: ADAMW, patches: 4, sizeVoxels: UNIVERSAL_SIZE };
    const alone = foreseeStep({ spec: backbone, ...common });
    const { operations, multiplyAdds } = foreseeStep({ spec: UNIVERSAL_SPEC, objective: idle, ...common });
    expect({ operations, multiplyAdds }).toEqual({ operations: alone.operations, multiplyAdds: alone.multiplyAdds });
    const predictions = [backbone, UNIVERSAL_SPEC].map((spec) => {
      const shapes = new ShapeBinding();
      const learner = Learner.create({ runtime: new Runtime(shapes, PUBLIC_ONLY), spec });
      learner.predict(universalBatch('p', 2).input, 2, UNIVERSAL_SIZE);
      return [...shapes.operations].filter(([name]) => name !== 'VarHandleOp'); // weights without a value take no memory
    });
    expect(predictions[1]).toEqual(predictions[0]);
  });
});

describe('which parameters a step changes', () => {
  const isAdversary = (name: string): boolean => name.startsWith(ADVERSARY_PREFIX);
  const isScale = (name: string): boolean => name.startsWith(SCALE_PREFIX);

  it.each(FORMS)('$mode', ({ mode }) => {
    const names = changed(universalChoice({ mode }));
    expect(names.some(isAdversary)).toBe(mode === 'reversal' || mode === 'alternating');
    expect(names.filter(isScale)).toHaveLength(4);
    expect(names).toContain('e1.0.weight');
    expect(names).toContain('out.bias');
  });

  it('not even the decay of the weights touches an adversary that is frozen, or heads that have no weight', () => {
    expect(changed(universalChoice({ mode: 'frozen', weight: 5 })).filter(isAdversary)).toEqual([]);
    expect(
      changed(universalChoice({ mode: 'reversal', weight: 0 }, { scaleWeight: 0 })).filter(
        (name) => isAdversary(name) || isScale(name),
      ),
    ).toEqual([]);
  });

  it.each(['reversal', 'alternating', 'frozen'])('in the warm-up the %s form trains as without an adversary', (mode) => {
    const warm = universalChoice({ mode, warmUpShare: 0.9 });
    expect(trained(warm, 2)).toEqual(trained(universalChoice({ mode: 'none' }), 2));
  });
});

describe('a learner with heads', () => {
  it.each(FORMS)('keeps no tensor from step to step: $mode', ({ mode }) => {
    withLearner(universalChoice({ mode }), (learner) => {
      const batch = universalBatch('0', 4);
      learner.step(batch);
      learner.observe(batch);
      const before = learner.liveTensors() - runtime.constantCount;
      for (let step = 0; step < 3; step++) learner.step(batch);
      learner.observe(batch);
      learner.lossAndGradients(batch);
      expect(learner.liveTensors() - runtime.constantCount).toBe(before);
    });
  });

  it.each(FORMS)('goes on from its state to the same bits: $mode', ({ mode }) => {
    const objective = universalChoice({ mode });
    const whole = trained(objective, 4);
    const half = withLearner(objective, (learner) => {
      for (let step = 0; step < 2; step++) learner.step(universalBatch(`${step}`, 4));
      return { weights: learner.readWeights(), state: learner.readOptimizerState() };
    });
    const resumed = withLearner(
      objective,
      (learner) => {
        learner.loadWeights(half.weights);
        learner.loadOptimizerState(half.state);
        for (let step = 2; step < 4; step++) learner.step(universalBatch(`${step}`, 4));
        return learner.readWeights();
      },
      9,
    );
    expect(resumed).toEqual(whole);
  });

  it('shows what it can tell, and its adversary learns to tell the modality where nothing pulls against it', () => {
    const accuracyOf = (adversary: object, steps: number): number =>
      withLearner(universalChoice(adversary, { restorationWeight: 0.01 }), (learner) => {
        for (let step = 0; step < steps; step++) learner.step(universalBatch(`${step % 3}`, 4));
        expect(learner.stepFigures.restorationError).toBeGreaterThan(0);
        expect(learner.stepFigures.scaleAccuracy).toBeGreaterThanOrEqual(0);
        const { modality } = learner.observe(universalBatch('fresh', 8));
        const told = Array.from({ length: 8 }, (_, i) => (modality?.[2 * i + 1] ?? 0) > (modality?.[2 * i] ?? 0));
        return told.filter((isMr, i) => isMr === (i % 2 === 1)).length / 8;
      });
    // λ ≈ 0: the adversary alone learns.
    expect(accuracyOf({ mode: 'reversal', rampSlope: 1e-6 }, 40)).toBe(1);
  });

  it('foresees the steps of its end, not those of its warm-up', () => {
    const foresee = (adversary: object) =>
      foreseeStep({
        spec: UNIVERSAL_SPEC,
        optimizer: ADAMW,
        patches: 2,
        sizeVoxels: UNIVERSAL_SIZE,
        objective: universalChoice(adversary),
      }).operations;
    expect(foresee({ mode: 'reversal', warmUpShare: 0.9 })).toBe(foresee({ mode: 'reversal' }));
    expect(foresee({ mode: 'reversal' })).toBeGreaterThan(foresee({ mode: 'none' }));
    expect(foresee({ mode: 'alternating' })).toBeGreaterThan(foresee({ mode: 'frozen' }));
  });
});
