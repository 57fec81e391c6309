import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { openRuntime } from '../engine/open-runtime.js';
import { foreseeStep } from './foresee-step.js';
import { Learner, type LearnerOptions } from './learner.js';
import { type MemoryBudget, type PlannedStep, planMemory, residentBytesOf } from './memory-plan.js';
import type { PatchBatch } from './patch-batch.js';

const MIB = 2 ** 20;
const SGD = { kind: 'sgd', learningRate: 0.1, momentum: 0.9 } as const;

function step(norm: 'batch' | 'instance', overrides: Partial<PlannedStep> = {}): PlannedStep {
  const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm });
  return { spec, optimizer: SGD, patches: 4, sizeVoxels: [32, 32, 32], voxelsPerPass: 4 * 32 ** 3, ...overrides };
}

/** What the step needs in one way, as the plan counts. */
function need(planned: PlannedStep, way: Pick<LearnerOptions, 'memory' | 'patchesPerPass'>): number {
  return residentBytesOf(foreseeStep({ ...planned, ...way }), planned.precision ?? 'f32');
}

function within(limitBytes: number, given: Partial<MemoryBudget> = {}): MemoryBudget {
  return { limitBytes, limitOrigin: '(memoryLimit)', heldBytes: 0, ...given };
}

describe('the plan for a step’s memory', () => {
  const batch = step('batch');

  it('changes nothing when all fits, and says what it takes', () => {
    const plan = planMemory(batch, within(need(batch, {})));
    expect(plan).toMatchObject({ memory: undefined, patchesPerPass: undefined, needBytes: need(batch, {}) });
    expect(plan.announcement).toMatch(/^memory: training needs about \d+ MiB of \d+ MiB \(memoryLimit\); nothing changed$/);
  });

  it('counts what the process holds already', () => {
    const budget = within(need(batch, {}), { heldBytes: 1 });
    expect(planMemory(batch, budget).memory).toBe('leanest');
  });

  it('computes blocks again a byte below that', () => {
    const plan = planMemory(batch, within(need(batch, {}) - 1));
    expect(plan).toMatchObject({ memory: 'leanest', patchesPerPass: undefined });
    expect(plan.announcement).toContain('the same result, about a third more time');
  });

  it('computes norms again first where they are kept otherwise', () => {
    const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 16, norm: 'batch' });
    const half = step('batch', { spec, precision: 'bf16' });
    expect(planMemory(half, within(need(half, {}) - 1))).toMatchObject({ memory: 'lean', patchesPerPass: undefined });
    const leaner = planMemory(half, within(need(half, { memory: 'lean' }) - 1));
    expect(leaner).toMatchObject({ memory: 'leanest', patchesPerPass: undefined });
  });

  it('takes the largest smaller pass that fits, and warns that batch norm then gives another result', () => {
    const halves = planMemory(batch, within(need(batch, { memory: 'leanest' }) - 1));
    expect(halves).toMatchObject({ memory: 'leanest', patchesPerPass: 2 });
    const ones = planMemory(batch, within(need(batch, { memory: 'leanest', patchesPerPass: 2 }) - 1));
    expect(ones).toMatchObject({ memory: 'leanest', patchesPerPass: 1 });
    expect(ones.announcement).toContain('sees 1 instead of 4 patches: ANOTHER RESULT');
    expect(ones.needBytes).toBeLessThan(halves.needBytes);
  });

  it('says that smaller passes change nothing where patches do not mix', () => {
    const instance = step('instance');
    const plan = planMemory(instance, within(need(instance, { memory: 'leanest' }) - 1));
    expect(plan.patchesPerPass).toBe(2);
    expect(plan.announcement).toContain('the same result but for rounding');
  });

  it('refuses when one patch does not fit, naming the least that would do', () => {
    const least = need(batch, { memory: 'leanest', patchesPerPass: 1 });
    const refused = (): unknown => planMemory(batch, within(least - 1));
    expect(refused).toThrow(expect.objectContaining({ code: 'OUT_OF_MEMORY' }) as Error);
    expect(refused).toThrow(new RegExp(`at least about ${Math.round(least / MIB)} MiB`));
    expect(refused).toThrow(expect.objectContaining({ remedy: expect.stringContaining('memoryLimit') as string }) as Error);
    const beside = (): unknown => planMemory(batch, within(least - 1, { volumeBytes: 300 * MIB }));
    const remedy = expect.stringMatching(/coarser spacingMm: 300 MiB of it are for the largest validation case/) as string;
    expect(beside).toThrow(expect.objectContaining({ remedy }) as Error);
  });

  it('keeps the passes of an attempt before, so that its continuation gives the same bits', () => {
    const plan = planMemory(batch, within(need(batch, {}), { patchesPerPass: 2 }));
    expect(plan).toMatchObject({ memory: undefined, patchesPerPass: 2 });
    expect(plan.announcement).toContain('as in the attempt before, each batch of 4 in passes of 2');
    const tighter = planMemory(batch, within(need(batch, { memory: 'leanest', patchesPerPass: 2 }) - 1, { patchesPerPass: 2 }));
    expect(tighter).toMatchObject({ memory: 'leanest', patchesPerPass: 1 });
  });

  it('divides batches that are no power of two', () => {
    const three = step('batch', { patches: 3 });
    expect(planMemory(three, within(need(three, { memory: 'leanest' }) - 1)).patchesPerPass).toBe(2);
  });
});

describe('the ways to need less memory', () => {
  const runtime = openRuntime({ threads: 2 });
  const voxels = 3 * 16 * 16 * 8;
  const values = Float32Array.from({ length: voxels }, (_, i) => ((i * 7919) % voxels) / voxels);
  const batch: PatchBatch = { patches: 3, sizeVoxels: [16, 16, 8], input: values, target: values.slice().reverse() };

  function gradients(norm: 'batch' | 'instance', way: Partial<LearnerOptions>): { loss: number; gradients: WeightSet } {
    const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm });
    const learner = Learner.create({ runtime, spec, ...way });
    try {
      learner.loadWeights(initialWeights(spec, 4));
      return learner.lossAndGradients(batch);
    } finally {
      learner.dispose();
    }
  }

  it.each([
    ['batch', 'f32'],
    ['instance', 'f32'],
    ['batch', 'bf16'],
  ] as const)('give the same bits when things are computed again: %s norm, %s', (norm, precision) => {
    const plain = gradients(norm, { precision, memory: 'plain' });
    expect(gradients(norm, { precision, memory: 'lean' })).toEqual(plain);
    expect(gradients(norm, { precision, memory: 'leanest' })).toEqual(plain);
  });

  it('give the same gradients but for rounding in smaller passes with instance norm, others with batch norm', () => {
    const distance = (norm: 'batch' | 'instance'): number => {
      const [whole, parts] = [gradients(norm, {}), gradients(norm, { patchesPerPass: 1, memory: 'leanest' })];
      let [difference, length] = [0, 0];
      whole.gradients.forEach(({ values: a }, i) =>
        a.forEach((value, j) => {
          difference += (value - (parts.gradients[i]?.values[j] as number)) ** 2;
          length += value ** 2;
        }),
      );
      return Math.sqrt(difference / length);
    };
    expect(distance('instance')).toBeLessThan(1e-4);
    expect(distance('batch')).toBeGreaterThan(1e-2);
  });
});
