import { initialWeights, type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import { describeWithBfloat16 } from '../../../test/fixtures/describe-with-bfloat16.js';
import { openRuntime } from '../engine/open-runtime.js';
import { PUBLIC_ONLY, Runtime } from '../engine/runtime/runtime.js';
import type { OperationAttribute, TensorflowBinding, TensorMetadata } from '../engine/runtime/tensorflow-binding.js';
import { ShapeBinding } from '../engine/shapes/shape-binding.js';
import { Learner, type LearnerOptions } from './learner.js';
import type { PatchBatch } from './patch-batch.js';

const SGD = { kind: 'sgd', learningRate: 0.1, momentum: 0.9 } as const;
const real = openRuntime({ threads: 2 });

/** TensorFlow itself, noting every operation with the shapes it gave. */
class NotingBinding implements TensorflowBinding {
  readonly TF_Version = real.binding.TF_Version;
  readonly notes: string[] = [];

  createTensor(...given: Parameters<TensorflowBinding['createTensor']>): number {
    return real.binding.createTensor(...given);
  }
  deleteTensor(id: number): void {
    real.binding.deleteTensor(id);
  }
  tensorDataSync(id: number): ReturnType<TensorflowBinding['tensorDataSync']> {
    return real.binding.tensorDataSync(id);
  }
  executeOp(name: string, attributes: readonly OperationAttribute[], inputs: readonly number[], count: number): TensorMetadata[] {
    const results = real.binding.executeOp(name, attributes, inputs, count);
    this.notes.push(note(name, results));
    return results;
  }
  isUsingGpuDevice(): boolean {
    return false;
  }
  getNumOfTensors(): number {
    return real.binding.getNumOfTensors();
  }
}

class NotingShapes extends ShapeBinding {
  readonly notes: string[] = [];

  override executeOp(...call: Parameters<ShapeBinding['executeOp']>): TensorMetadata[] {
    const results = super.executeOp(...call);
    this.notes.push(note(call[0], results));
    return results;
  }
}

/** How many marks the fused norm reserves depends on the processor, so its last result is left out. */
function note(name: string, results: readonly TensorMetadata[]): string {
  const told = name === '_MklNativeFusedBatchNormEx' ? results.slice(0, 5) : results;
  return `${name} ${told.map(({ shape, dtype }) => `${dtype}[${Array.from(shape).join()}]`).join(' ')}`;
}

function batchOf(patches: number): PatchBatch {
  const voxels = patches * 8 * 8 * 8;
  const values = Float32Array.from({ length: voxels }, (_, i) => ((i * 7919) % voxels) / voxels);
  return { patches, sizeVoxels: [8, 8, 8], input: values, target: values.slice().reverse() };
}

function spec(overrides: Record<string, unknown>): ModelSpec {
  return modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, ...overrides });
}

/** Two steps; the operations of the second and the tensors alive after each. */
function steps(
  runtime: Runtime,
  notes: string[],
  options: Omit<LearnerOptions, 'runtime'>,
): { notes: string[]; alive: number[] } {
  const none = runtime.liveTensors();
  const learner = Learner.create({ runtime, optimizer: SGD, ...options });
  learner.loadWeights(initialWeights(options.spec, 1));
  const alive = [1, 2].map(() => {
    notes.length = 0;
    learner.step(batchOf(2));
    return runtime.liveTensors() - none;
  });
  learner.dispose();
  runtime.dispose();
  expect(runtime.liveTensors()).toBe(none);
  return { notes: [...notes], alive };
}

const NETWORKS = ['batch', 'instance'].flatMap((norm) => ['transposed', 'nearest'].map((upsampling) => ({ norm, upsampling })));
const IN_32_BITS = [
  { precision: 'f32', memory: 'plain' },
  { precision: 'f32', memory: 'lean' },
  { precision: 'f32', memory: 'leanest' },
] as const;
const IN_BFLOAT16 = [
  { precision: 'bf16', memory: 'plain' },
  { precision: 'bf16', memory: 'leanest' },
] as const;

describe.each(NETWORKS)('a step of the U-Net with $norm norm and $upsampling up-sampling', (network) => {
  compareBackends(IN_32_BITS);
  describeWithBfloat16('in bfloat16', () => compareBackends(IN_BFLOAT16));

  function compareBackends(ways: readonly (typeof IN_32_BITS | typeof IN_BFLOAT16)[number][]): void {
    it.each(ways)('is the same on the shape-only backend: $precision, $memory', (way) => {
      const options = { spec: spec(network), voxelsPerPass: 512, ...way };
      for (const native of [real.native, PUBLIC_ONLY]) {
        const [numbers, shapes] = [new NotingBinding(), new NotingShapes()];
        const expected = steps(new Runtime(numbers, native), numbers.notes, options);
        expect(steps(new Runtime(shapes, native), shapes.notes, options)).toEqual(expected);
        expect(expected.notes.length).toBeGreaterThan(100);
        expect(shapes.liveBytes).toBe(0);
      }
    });
  }
});
