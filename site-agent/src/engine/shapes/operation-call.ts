import { DATA_TYPE, type OperationAttribute } from '../runtime/tensorflow-binding.js';
import type { BufferLedger, SharedBuffer } from './buffer-ledger.js';
import type { VariableCell } from './variable-cell.js';

export type Shape = readonly number[];

/** A tensor without numbers. */
export interface ShapedTensor {
  readonly shape: Shape;
  readonly dataType: number;
  readonly buffer: SharedBuffer;
  /** Known for small constants of 32-bit integers: shapes, axes, sizes. */
  readonly values?: readonly number[] | undefined;
  /** Set for resource handles. */
  readonly variable?: VariableCell | undefined;
}

/** One result of an operation. */
export interface Outcome {
  readonly shape: Shape;
  readonly dataType: number;
  /** Set when the result lies in memory that is there already; else it is new memory. */
  readonly shares?: SharedBuffer | undefined;
  readonly values?: readonly number[] | undefined;
  readonly variable?: VariableCell | undefined;
}

/** Bytes of one element; a resource handle has none of its own. */
const ELEMENT_BYTES: Readonly<Record<number, number>> = {
  [DATA_TYPE.float32]: 4,
  [DATA_TYPE.float64]: 8,
  [DATA_TYPE.int32]: 4,
  [DATA_TYPE.uint8]: 1,
  [DATA_TYPE.complex64]: 8,
  [DATA_TYPE.int64]: 8,
  [DATA_TYPE.bool]: 1,
  [DATA_TYPE.bfloat16]: 2,
  [DATA_TYPE.float16]: 2,
  [DATA_TYPE.uint64]: 8,
  [DATA_TYPE.resource]: 0,
};

export function elementsOf(shape: Shape): number {
  let count = 1;
  for (const side of shape) count *= side;
  return count;
}

export function bytesOf(shape: Shape, dataType: number): number {
  return elementsOf(shape) * (ELEMENT_BYTES[dataType] ?? 0);
}

export function sameShape(left: Shape, right: Shape): boolean {
  return left.length === right.length && left.every((side, axis) => side === right[axis]);
}

/** One call of one operation, as its shape rule sees it. Every `refuse` is a plain Error, as TensorFlow's own refusals are. */
export class OperationCall {
  private readonly attributes = new Map<string, OperationAttribute['value']>();

  constructor(
    readonly operation: string,
    attributes: readonly OperationAttribute[],
    readonly inputs: readonly ShapedTensor[],
    readonly outputCount: number,
    /** Where variables keep account of their memory. */
    readonly ledger: BufferLedger,
  ) {
    for (const { name, value } of attributes) this.attributes.set(name, value);
  }

  refuse(reason: string): never {
    throw new Error(`${this.operation}: ${reason}; inputs ${this.inputs.map(({ shape }) => `[${shape.join()}]`).join(' ')}`);
  }

  require(condition: boolean, reason: string): void {
    if (!condition) this.refuse(reason);
  }

  input(index: number): ShapedTensor {
    return this.inputs.at(index) ?? this.refuse(`has no input ${index}`);
  }

  shapeOf(index: number): Shape {
    return this.input(index).shape;
  }

  /** Side `axis` of input `index`; negative counts from the end. */
  side(index: number, axis: number): number {
    return this.shapeOf(index).at(axis) ?? this.refuse(`input ${index} has no side ${axis}`);
  }

  /** The values of a constant input. */
  constantOf(index: number): readonly number[] {
    return this.input(index).values ?? this.refuse(`input ${index} must be a small constant of 32-bit integers`);
  }

  variable(index: number): VariableCell {
    return this.input(index).variable ?? this.refuse(`input ${index} is no variable`);
  }

  number(name: string, standard?: number): number {
    const value = this.attributes.get(name) ?? standard;
    return typeof value === 'number' ? value : this.refuse(`lacks the number ${name}`);
  }

  flag(name: string, standard: boolean): boolean {
    const value = this.attributes.get(name) ?? standard;
    return typeof value === 'boolean' ? value : this.refuse(`lacks the flag ${name}`);
  }

  text(name: string, standard?: string): string {
    const value = this.attributes.get(name) ?? standard;
    return typeof value === 'string' ? value : this.refuse(`lacks the text ${name}`);
  }

  list(name: string, standard?: readonly number[]): readonly number[] {
    const value = this.attributes.get(name) ?? standard;
    return Array.isArray(value) ? (value as readonly number[]) : this.refuse(`lacks the list ${name}`);
  }

  /** The element type that an attribute names; undefined when it is left to TensorFlow. */
  namedType(name: string): number | undefined {
    const value = this.attributes.get(name);
    return typeof value === 'number' ? value : undefined;
  }
}
