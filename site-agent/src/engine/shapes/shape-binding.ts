import { invariant } from '@consilium/shared/kernel';
import type { OperationAttribute, TensorflowBinding, TensorMetadata, TensorValues } from '../runtime/tensorflow-binding.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import { BufferLedger, type SharedBuffer } from './buffer-ledger.js';
import { bytesOf, elementsOf, OperationCall, type Outcome, type ShapedTensor } from './operation-call.js';
import { requireElementTypes } from './shape-rule.js';
import { shapeRuleFor } from './shape-rules.js';

/** Longer integer tensors are data, not shapes or axes. */
const MOST_CONSTANTS = 64;

/**
 * TensorFlow without numbers: infers the shape and element type of every result, refuses what TensorFlow would refuse, and
 * counts operations, multiply-adds and the bytes of live tensors. A step of a network costs it milliseconds, so tests state
 * budgets with it and the trainer foresees its memory. Values read from it are zeros.
 */
export class ShapeBinding implements TensorflowBinding {
  readonly TF_Version = 'shapes only';
  private readonly ledger = new BufferLedger();
  private readonly tensors = new Map<number, ShapedTensor>();
  private readonly counts = new Map<string, number>();
  private nextId = 1;
  private products = 0;

  /** Bytes of the live tensors and variables; shared memory counts once. */
  get liveBytes(): number {
    return this.ledger.liveBytes;
  }

  /** The most bytes alive at once since the start or the last {@link resetPeak}. */
  get peakBytes(): number {
    return this.ledger.peakBytes;
  }

  /** How often each operation was called. */
  get operations(): ReadonlyMap<string, number> {
    return this.counts;
  }

  /** Multiplications with additions of all convolutions and matrix products so far. */
  get multiplyAdds(): number {
    return this.products;
  }

  resetPeak(): void {
    this.ledger.resetPeak();
  }

  /** Forgets what was counted; tensors stay. */
  resetCounts(): void {
    this.counts.clear();
    this.products = 0;
    this.resetPeak();
  }

  /** The memory that a live tensor lies in: the same object for tensors and variables that share it. */
  bufferOf(id: number): SharedBuffer {
    return this.tensor(id).buffer;
  }

  createTensor(shape: readonly number[], dataType: number, values: TensorValues | readonly Uint8Array[]): number {
    const elements = elementsOf(shape);
    if (values.length !== elements * (dataType === DATA_TYPE.int64 ? 2 : 1)) {
      throw new Error(`createTensor: ${values.length} values do not fill the shape [${shape.join()}]`);
    }
    const constant = values instanceof Int32Array && dataType === DATA_TYPE.int32 && elements <= MOST_CONSTANTS;
    return this.register({ shape: [...shape], dataType, values: constant ? Array.from(values) : undefined });
  }

  deleteTensor(id: number): void {
    const { buffer, variable } = this.tensor(id);
    this.tensors.delete(id);
    this.ledger.release(buffer);
    variable?.dispose();
  }

  tensorDataSync(id: number): TensorValues {
    const { shape, dataType, values } = this.tensor(id);
    if (dataType === DATA_TYPE.float32) return new Float32Array(elementsOf(shape));
    if (dataType === DATA_TYPE.int32) return values === undefined ? new Int32Array(elementsOf(shape)) : Int32Array.from(values);
    if (dataType === DATA_TYPE.bool || dataType === DATA_TYPE.uint8) return new Uint8Array(elementsOf(shape));
    throw new Error(`tensorDataSync: values of element type ${dataType} cannot be read`);
  }

  executeOp(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputIds: readonly number[],
    outputCount: number,
  ): TensorMetadata[] {
    const rule = shapeRuleFor(operation);
    const inputs = inputIds.map((id) => this.tensor(id));
    const call = new OperationCall(operation, attributes, inputs, outputCount, this.ledger);
    requireElementTypes(call, rule);
    const outcomes = rule.infer(call);
    call.require(outcomes.length === outputCount, `has ${outcomes.length} results, not ${outputCount}`);
    this.counts.set(operation, (this.counts.get(operation) ?? 0) + 1);
    this.products += rule.multiplyAdds?.(call, outcomes) ?? 0;
    return outcomes.map((outcome) => {
      return { id: this.register(outcome), shape: [...outcome.shape], dtype: outcome.dataType };
    });
  }

  isUsingGpuDevice(): boolean {
    return false;
  }

  getNumOfTensors(): number {
    return this.tensors.size;
  }

  private register({ shares, ...outcome }: Outcome): number {
    const buffer = shares ?? this.ledger.create(bytesOf(outcome.shape, outcome.dataType));
    const id = this.nextId;
    this.nextId += 1;
    this.tensors.set(id, { ...outcome, buffer: this.ledger.hold(buffer) });
    return id;
  }

  private tensor(id: number): ShapedTensor {
    const tensor = this.tensors.get(id);
    invariant(tensor !== undefined, `tensor ${id} is used only while it lives`);
    return tensor;
  }
}
