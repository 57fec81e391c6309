import { readFileSync } from 'node:fs';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { openRuntime } from '../engine/open-runtime.js';
import { Runtime } from '../engine/runtime/runtime.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import type { MemoryUse, Precision } from '../engine/tape.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { PatchBatch } from './patch-batch.js';

const SGD = { kind: 'sgd', learningRate: 0.01, momentum: 0.9 } as const;
const STEPS = 1000;
const real = openRuntime({ threads: 2 });
const tiny = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1 });
const values = Float32Array.from({ length: 512 }, (_, i) => ((i * 7919) % 512) / 512);
const batch: PatchBatch = { patches: 1, sizeVoxels: [8, 8, 8], input: values, target: values.slice().reverse() };

function withLearner(runtime: Runtime, options: Partial<LearnerOptions>, use: (learner: Learner) => void): void {
  const learner = Learner.create({ runtime, spec: tiny, optimizer: SGD, ...options });
  learner.loadWeights(initialWeights(tiny, 1));
  use(learner);
  learner.dispose();
}

function residentBytes(): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? Number.NaN) * 1024;
}

const WAYS: readonly { norm: string; precision: Precision; memory: MemoryUse }[] = [
  { norm: 'batch', precision: 'f32', memory: 'plain' },
  { norm: 'instance', precision: 'f32', memory: 'leanest' },
  { norm: 'batch', precision: 'bf16', memory: 'lean' },
];

describe('a thousand steps', () => {
  it.each(WAYS)('leave no byte behind on the shape-only backend: $norm norm, $precision, $memory', (way) => {
    const shapes = new ShapeBinding();
    const runtime = new Runtime(shapes, { maxPooling: true, normaliseRectify: true, bfloat16: true });
    const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1, norm: way.norm });
    withLearner(runtime, { ...way, spec }, (learner) => {
      learner.step(batch);
      const [bytes, tensors] = [shapes.liveBytes, shapes.getNumOfTensors()];
      shapes.resetPeak();
      learner.step(batch);
      const peak = shapes.peakBytes;
      for (let step = 3; step <= STEPS; step++) learner.step(batch);
      expect([shapes.liveBytes, shapes.getNumOfTensors(), shapes.peakBytes]).toEqual([bytes, tensors, peak]);
    });
    runtime.dispose();
    expect([shapes.liveBytes, shapes.getNumOfTensors()]).toEqual([0, 0]);
  });

  it('leave no tensor and no memory behind in TensorFlow', () => {
    withLearner(real, {}, (learner) => {
      for (let step = 1; step <= 100; step++) learner.step(batch); // caches of kernels fill
      const [tensors, bytes] = [learner.liveTensors(), residentBytes()];
      for (let step = 101; step <= STEPS; step++) learner.step(batch);
      expect(learner.liveTensors()).toBe(tensors);
      // A leak of the smallest activation alone (512 bytes) in each layer and step would be 30 MiB.
      if (!Number.isNaN(bytes)) expect(residentBytes() - bytes).toBeLessThan(8 * 2 ** 20);
    });
  }, 240_000);
});
