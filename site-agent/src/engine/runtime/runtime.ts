import { invariant } from '@consilium/shared/kernel';
import { operationFailed, Tensor } from '../tensor.js';
import { DATA_TYPE, type OperationAttribute, type TensorflowBinding } from './tensorflow-binding.js';

/** Which of TensorFlow's private oneDNN kernels passed their self-test on this machine. */
export interface NativeKernels {
  /** Max pooling that remembers where the maxima lay: its gradient is up to 60 times faster. */
  readonly maxPooling: boolean;
  /** Normalisation and ReLU in one pass. */
  readonly normaliseRectify: boolean;
  /** Those of them that serve 32-bit floats serve bfloat16 too: oneDNN wants AVX-512 for that. */
  readonly bfloat16: boolean;
}

export const PUBLIC_ONLY: NativeKernels = { maxPooling: false, normaliseRectify: false, bfloat16: false };

/** Where in the network an operation belongs. */
export type Direction = 'forward' | 'backward';

/** Sees every operation while it is set: for profiles. */
export interface OperationObserver {
  /** Must call `execute` once and return its results. */
  observe(operation: string, layer: string, direction: Direction, execute: () => Tensor[]): Tensor[];
}

/** Runs operations on one binding and hands out {@link Tensor}s, which the caller owns. */
export class Runtime {
  /** Set by a profile; nothing is spent on it otherwise. */
  observer: OperationObserver | undefined;
  private readonly constants = new Map<string, Tensor>();
  private currentLayer = '';
  private direction: Direction = 'forward';

  constructor(
    readonly binding: TensorflowBinding,
    readonly native: NativeKernels = PUBLIC_ONLY,
  ) {}

  /** Whether an operation on this element type runs on the private kernel. */
  runsNative(kernel: 'maxPooling' | 'normaliseRectify', dataType: number): boolean {
    return this.native[kernel] && (dataType !== DATA_TYPE.bfloat16 || this.native.bfloat16);
  }

  /** A 32-bit float tensor. It may share memory with `values`: leave that array unchanged until the tensor is freed. */
  tensor(values: Float32Array, shape: readonly number[]): Tensor {
    return this.create(shape, DATA_TYPE.float32, values);
  }

  scalar(value: number): Tensor {
    return this.tensor(Float32Array.of(value), []);
  }

  /** Constant 32-bit integers (a shape, axes, amounts), a list unless a shape is given. The runtime owns it: do not free it. */
  integers(values: readonly number[], shape: readonly number[] = [values.length]): Tensor {
    return this.constant(`${shape.join('x')}: ${values.join(' ')}`, () =>
      this.create(shape, DATA_TYPE.int32, Int32Array.from(values)),
    );
  }

  /** A list of 32-bit integers that differ from call to call, a random seed say; larger ones keep their lowest 32 bits. */
  freshIntegers(values: readonly number[]): Tensor {
    return this.create([values.length], DATA_TYPE.int32, Int32Array.from(values));
  }

  /** A constant 32-bit integer without dimensions. The runtime owns it: do not free it. */
  integer(value: number): Tensor {
    return this.constant(`scalar ${value}`, () => this.create([], DATA_TYPE.int32, Int32Array.of(value)));
  }

  /** A constant empty vector of floats, for inputs that an operation ignores. The runtime owns it: do not free it. */
  nothing(): Tensor {
    return this.constant('nothing', () => this.tensor(new Float32Array(0), [0]));
  }

  /** The layer that operations now belong to; empty outside a network. */
  get layer(): string {
    return this.currentLayer;
  }

  /** What `work` gives; its operations count for the layer. */
  within<T>(layer: string, direction: Direction, work: () => T): T {
    const before = { layer: this.currentLayer, direction: this.direction };
    this.currentLayer = layer;
    this.direction = direction;
    try {
      return work();
    } finally {
      this.currentLayer = before.layer;
      this.direction = before.direction;
    }
  }

  /** Runs one operation; `outputs` is the exact number of its results, all owned by the caller. Inputs are only read. */
  run(operation: string, attributes: readonly OperationAttribute[], inputs: readonly Tensor[], outputs: number): Tensor[] {
    const { observer } = this;
    if (observer === undefined) return this.execute(operation, attributes, inputs, outputs);
    return observer.observe(operation, this.currentLayer, this.direction, () =>
      this.execute(operation, attributes, inputs, outputs),
    );
  }
  /** Runs an operation of one result. */
  runOne(operation: string, attributes: readonly OperationAttribute[], inputs: readonly Tensor[]): Tensor {
    const [result] = this.run(operation, attributes, inputs, 1);
    invariant(result !== undefined, `${operation} has one result`);
    return result;
  }

  /** A copy of a float tensor's values in row-major order; waits for the operations before it. */
  read(tensor: Tensor): Float32Array {
    invariant(tensor.dataType === DATA_TYPE.float32, 'only tensors of 32-bit floats are read');
    const values = this.binding.tensorDataSync(tensor.id) as Float32Array;
    return new Float32Array(values.buffer, values.byteOffset, values.length);
  }

  /** The value of a one-element tensor, which is freed. */
  takeNumber(tensor: Tensor): number {
    const [value] = this.read(tensor);
    tensor.free();
    invariant(value !== undefined, 'a scalar tensor has one value');
    return value;
  }

  /** Tensors alive in this process, constants and variable handles included: equal before and after a step. */
  liveTensors(): number {
    return this.binding.getNumOfTensors();
  }

  /** Constants made so far; they stay until {@link dispose}. */
  get constantCount(): number {
    return this.constants.size;
  }

  /** Frees the constants; tensors handed out stay with their owners. */
  dispose(): void {
    for (const tensor of this.constants.values()) tensor.free();
    this.constants.clear();
  }

  private execute(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputs: readonly Tensor[],
    outputs: number,
  ): Tensor[] {
    const ids = inputs.map((input) => input.id);
    try {
      const results = this.binding.executeOp(operation, attributes, ids, outputs);
      return results.map(({ id, shape, dtype }) => new Tensor(this.binding, id, shape, dtype));
    } catch (thrown) {
      throw operationFailed(operation, thrown);
    }
  }

  private create(shape: readonly number[], dataType: number, values: Float32Array | Int32Array): Tensor {
    try {
      return new Tensor(this.binding, this.binding.createTensor(shape, dataType, values), shape, dataType);
    } catch (thrown) {
      throw operationFailed('createTensor', thrown);
    }
  }

  private constant(key: string, make: () => Tensor): Tensor {
    const known = this.constants.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.constants.set(key, made);
    return made;
  }
}
