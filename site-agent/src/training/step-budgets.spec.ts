import { type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import { Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import type { MemoryUse, Precision } from '../engine/tape.js';
import { foreseeStep } from './foresee-step.js';
import { Learner } from './learner.js';

const SGD = { kind: 'sgd', learningRate: 0.1, momentum: 0.9 } as const;
const ALL_NATIVE = { maxPooling: true, normaliseRectify: true, bfloat16: true };

interface Budget {
  readonly width: number;
  readonly patches: number;
  readonly norm: 'batch' | 'instance';
  readonly precision: Precision;
  readonly memory: MemoryUse;
  /** Operations of one step at most. */
  readonly operations: number;
  /** Mebibytes of tensors alive at once at most, weights and slots included. */
  readonly peakMiB: number;
}

/**
 * What one step of the Models Genesis U-Net (patch 64 × 64 × 32, SGD with momentum, oneDNN's kernels) may cost. An engine that
 * got leaner tightens its row; a row is loosened only for a reason that its commit tells.
 */
const BUDGETS: readonly Budget[] = [
  { width: 8, patches: 4, norm: 'batch', precision: 'f32', memory: 'plain', operations: 345, peakMiB: 475 },
  { width: 8, patches: 4, norm: 'batch', precision: 'f32', memory: 'lean', operations: 390, peakMiB: 365 },
  { width: 8, patches: 4, norm: 'batch', precision: 'f32', memory: 'leanest', operations: 490, peakMiB: 325 },
  { width: 8, patches: 4, norm: 'batch', precision: 'bf16', memory: 'plain', operations: 395, peakMiB: 255 },
  { width: 8, patches: 4, norm: 'batch', precision: 'bf16', memory: 'leanest', operations: 535, peakMiB: 170 },
  { width: 8, patches: 4, norm: 'instance', precision: 'f32', memory: 'plain', operations: 1375, peakMiB: 130 },
  { width: 8, patches: 4, norm: 'instance', precision: 'bf16', memory: 'plain', operations: 1580, peakMiB: 75 },
  { width: 32, patches: 2, norm: 'batch', precision: 'f32', memory: 'plain', operations: 345, peakMiB: 1070 },
  { width: 32, patches: 2, norm: 'batch', precision: 'f32', memory: 'lean', operations: 395, peakMiB: 850 },
  { width: 32, patches: 2, norm: 'batch', precision: 'bf16', memory: 'plain', operations: 395, peakMiB: 635 },
  { width: 32, patches: 2, norm: 'instance', precision: 'f32', memory: 'plain', operations: 690, peakMiB: 685 },
];

function spec(width: number, norm: Budget['norm']): ModelSpec {
  return modelSpecSchema.parse({ architecture: 'genesis-unet3d', width, norm });
}

describe('one step stays within its budget', () => {
  it.each(BUDGETS)('width $width, batch $patches, $norm norm, $precision, $memory', (budget) => {
    const { width, norm, operations, peakMiB, ...options } = budget;
    const forecast = foreseeStep({
      spec: spec(width, norm),
      optimizer: SGD,
      sizeVoxels: [64, 64, 32],
      native: ALL_NATIVE,
      ...options,
    });
    const found = { operations: forecast.operations, peakMiB: forecast.peakBytes / 2 ** 20 };
    expect(found.operations).toBeLessThanOrEqual(operations);
    expect(found.peakMiB).toBeLessThanOrEqual(peakMiB);
    expect(found.operations).toBeGreaterThan(0.9 * operations); // a budget far above the truth guards nothing
    expect(found.peakMiB).toBeGreaterThan(0.9 * peakMiB);
  });

  it('multiplies as often as three convolutions, forward and twice backward, ask for', () => {
    const forecast = foreseeStep({ spec: spec(8, 'batch'), optimizer: SGD, patches: 4, sizeVoxels: [64, 64, 32] });
    expect(forecast.multiplyAdds / 1e9).toBeCloseTo(91.7, 0);
  });

  it('needs more for a prediction only when that is the larger part', () => {
    const one = { spec: spec(8, 'batch'), optimizer: SGD, patches: 1, sizeVoxels: [32, 32, 32] } as const;
    const alone = foreseeStep(one);
    expect(foreseeStep({ ...one, predictedPatches: 1 })).toEqual(alone);
    const beside = foreseeStep({ ...one, predictedPatches: 16 });
    expect(beside.peakBytes).toBeGreaterThan(alone.peakBytes);
    expect(beside.operations).toBe(alone.operations);
  });

  it.each([
    { upsampling: 'transposed', peakMiB: 155 },
    { upsampling: 'nearest', peakMiB: 143 },
  ] as const)('predicts a patch, raised by $upsampling, within $peakMiB MiB, weights included', ({ upsampling, peakMiB }) => {
    const shapes = new ShapeBinding();
    const width32 = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 32, norm: 'batch', upsampling });
    const learner = Learner.create({ runtime: new Runtime(shapes, ALL_NATIVE), spec: width32 });
    learner.predict(new Float32Array(64 * 64 * 32), 1, [64, 64, 32]);
    expect(shapes.peakBytes / 2 ** 20).toBeLessThanOrEqual(peakMiB);
    expect(shapes.peakBytes / 2 ** 20).toBeGreaterThan(0.9 * peakMiB);
  });

  it('keeps weights and one slot each between two steps', () => {
    const forecast = foreseeStep({ spec: spec(8, 'batch'), optimizer: SGD, patches: 1, sizeVoxels: [16, 16, 16] });
    expect(forecast.steadyBytes / (2 * 4 * 1_193_761)).toBeCloseTo(1, 2);
  });
});
