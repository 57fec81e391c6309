import { invariant } from '@consilium/shared/kernel';
import { elementCount, inManifestOrder, type Manifest, type TensorEntry, type WeightSet } from '@consilium/shared/weights';
import { sumAndFree } from './activation.js';
import { castTensor } from './cast-tensor.js';
import { fromEngineLayout, toEngineLayout, toEngineShape } from './kernel-layout.js';
import type { Runtime } from './runtime/runtime.js';
import { DATA_TYPE } from './runtime/tensorflow-binding.js';
import { Statistic } from './statistic.js';
import type { Tensor } from './tensor.js';
import { Variable } from './variable.js';

/** One trained tensor: a variable in TensorFlow's layout and the gradient that the layers leave for it. */
export class Parameter {
  readonly variable: Variable;
  private gradient: Tensor | undefined;

  constructor(
    private readonly runtime: Runtime,
    readonly name: string,
    /** PyTorch's shape. */
    readonly shape: readonly number[],
  ) {
    this.variable = new Variable(runtime, toEngineShape(shape));
  }

  /** The value in TensorFlow's layout, 32-bit floats unless another type is named; the caller frees it before the next update. */
  view(dataType: number = DATA_TYPE.float32): Tensor {
    const view = this.variable.view();
    const value = castTensor(this.runtime, view, dataType);
    view.free();
    return value;
  }

  /** Adds a gradient in TensorFlow's layout, of any float type, and takes it over; the sum is kept in 32 bits. */
  addGradient(gradient: Tensor): void {
    const exact = castTensor(this.runtime, gradient, DATA_TYPE.float32);
    gradient.free();
    this.gradient = this.gradient === undefined ? exact : sumAndFree(this.runtime, this.gradient, exact);
  }

  /** The gradient summed since the last call; the caller owns it. */
  takeGradient(): Tensor {
    const { gradient } = this;
    invariant(gradient !== undefined, `the parameter ${this.name} has a gradient`);
    this.gradient = undefined;
    return gradient;
  }

  /** Forgets a gradient that nobody will take. */
  dropGradient(): void {
    this.gradient?.free();
    this.gradient = undefined;
  }

  /** The gradient in PyTorch's layout; the tensor is freed. */
  readAndFreeGradient(): Float32Array {
    const gradient = this.takeGradient();
    const values = fromEngineLayout(this.runtime.read(gradient), this.shape);
    gradient.free();
    return values;
  }

  load(values: Float32Array): void {
    this.variable.assign(toEngineLayout(values, this.shape));
  }

  read(): Float32Array {
    return fromEngineLayout(this.variable.read(), this.shape);
  }

  dispose(): void {
    this.dropGradient();
    this.variable.dispose();
  }
}

/**
 * All parameters of a network by name. Idle ones (a bias before a norm, which has no effect and no gradient) have no place in
 * the computation: their values are carried unchanged from {@link load} to {@link read}. Statistics are moved by the layers,
 * without gradients.
 */
export class ParameterSet {
  private readonly active = new Map<string, Parameter>();
  private readonly statistics = new Map<string, Statistic>();
  private readonly idle = new Map<string, Float32Array>();

  constructor(
    runtime: Runtime,
    private readonly manifest: Manifest,
    idle: ReadonlySet<string>,
    statistics: ReadonlySet<string> = new Set(),
  ) {
    for (const { name, shape } of manifest.tensors) {
      if (idle.has(name)) this.idle.set(name, new Float32Array(elementCount(shape)));
      else if (statistics.has(name)) this.statistics.set(name, new Statistic(runtime, name, shape));
      else this.active.set(name, new Parameter(runtime, name, shape));
    }
  }

  /** The trained parameters in the manifest's order. */
  all(): readonly Parameter[] {
    return [...this.active.values()];
  }

  get(name: string): Parameter {
    const parameter = this.active.get(name);
    invariant(parameter !== undefined, `the network has a trained parameter ${name}`);
    return parameter;
  }

  /** The running statistic of this name. */
  statistic(name: string): Statistic {
    const statistic = this.statistics.get(name);
    invariant(statistic !== undefined, `the network has a statistic ${name}`);
    return statistic;
  }

  /** Copies weights in PyTorch's layout, in any order; MANIFEST_MISMATCH when they are another model's. */
  load(weights: WeightSet): void {
    for (const { name, values } of inManifestOrder(weights, this.manifest, 'the weights')) {
      if (this.idle.has(name)) this.idle.set(name, Float32Array.from(values));
      else if (this.statistics.has(name)) this.statistic(name).load(Float32Array.from(values));
      else this.get(name).load(values);
    }
  }

  /** A copy in PyTorch's layout and the manifest's order. */
  read(): WeightSet {
    return this.collect((name) => this.idle.get(name)?.slice() ?? (this.statistics.get(name) ?? this.get(name)).read());
  }

  /**
   * Takes and frees all gradients; PyTorch's layout, zeros for idle parameters, for statistics, and for those that `wanted` leaves
   * out.
   */
  takeGradients(wanted: (name: string) => boolean = () => true): WeightSet {
    const gradients = this.collect((name, { shape }) => {
      const taken = this.active.has(name) && wanted(name);
      return taken ? this.get(name).readAndFreeGradient() : new Float32Array(elementCount(shape));
    });
    this.dropGradients();
    return gradients;
  }

  /** Forgets all gradients, after a step that failed. */
  dropGradients(): void {
    for (const parameter of this.active.values()) parameter.dropGradient();
  }

  dispose(): void {
    for (const tensor of [...this.active.values(), ...this.statistics.values()]) tensor.dispose();
    this.active.clear();
    this.statistics.clear();
  }

  private collect(valuesOf: (name: string, entry: TensorEntry) => Float32Array): WeightSet {
    return this.manifest.tensors.map((entry) => ({
      name: entry.name,
      shape: entry.shape,
      values: valuesOf(entry.name, entry),
    }));
  }
}
