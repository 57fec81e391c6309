import { dimensions, elementType, text } from './attributes.js';
import { DATA_TYPE } from './runtime/tensorflow-binding.js';
import type { Runtime } from './runtime/runtime.js';
import type { Tensor } from './tensor.js';

/** TensorFlow's reserved name for a variable that no one else can look up and that dies with its last handle. */
const ANONYMOUS = 'cd2c89b7-88b7-44c8-ad83-06c2a9158347';

const VALUE_TYPE = [elementType('dtype')];

const FILL = [elementType('T'), elementType('index_type', DATA_TYPE.int32)];

/** A 32-bit float tensor inside TensorFlow that optimizers change in place; zeros, which take no memory, until it is set. */
export class Variable {
  private readonly resource: Tensor;
  private isSet = false;

  constructor(
    private readonly runtime: Runtime,
    readonly shape: readonly number[],
  ) {
    const attributes = [elementType('dtype'), dimensions('shape', shape), text('container', ''), text('shared_name', ANONYMOUS)];
    this.resource = runtime.runOne('VarHandleOp', attributes, []);
  }

  /** For operations that change the value in place. */
  get handle(): Tensor {
    this.requireValue();
    return this.resource;
  }

  /** Sets the value; takes over `values`, for the variable may go on to live in that very memory. */
  assign(values: Float32Array): void {
    this.take(this.runtime.tensor(values, this.shape));
  }

  /** Sets the value to a tensor of the variable's shape, which is taken over. */
  take(tensor: Tensor): void {
    this.runtime.run('AssignVariableOp', VALUE_TYPE, [this.resource, tensor], 0);
    tensor.free();
    this.isSet = true;
  }

  /** Adds a tensor of the variable's shape, in place; frees it. */
  addAndFree(tensor: Tensor): void {
    this.runtime.run('AssignAddVariableOp', VALUE_TYPE, [this.handle, tensor], 0);
    tensor.free();
  }

  /** A view, not a copy: free it before the variable is updated, or the update must copy. */
  view(): Tensor {
    return this.runtime.runOne('ReadVariableOp', VALUE_TYPE, [this.handle]);
  }

  read(): Float32Array {
    const view = this.view();
    const values = this.runtime.read(view);
    view.free();
    return values;
  }

  dispose(): void {
    this.resource.free();
  }

  private requireValue(): void {
    if (this.isSet) return;
    const zero = this.runtime.scalar(0);
    this.take(this.runtime.runOne('Fill', FILL, [this.runtime.integers(this.shape), zero]));
    zero.free();
  }
}
