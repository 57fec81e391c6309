import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import { type OperationCall, type Outcome, type Shape, type ShapedTensor } from './operation-call.js';

/** What one operation makes of its inputs. */
export interface ShapeRule {
  /**
   * Element types of the inputs in order, separated by blanks: a fixed type (`int32`), the name of a type attribute (`T`), or
   * one of them repeated as often as an attribute says (`N*T`).
   */
  readonly inputs: string;
  readonly infer: (call: OperationCall) => readonly Outcome[];
  /** Multiplications with additions, for the operations that spend their time on them. */
  readonly multiplyAdds?: (call: OperationCall, outcomes: readonly Outcome[]) => number;
}

export type ShapeRules = Readonly<Record<string, ShapeRule>>;

export function rule(inputs: string, infer: ShapeRule['infer'], multiplyAdds?: ShapeRule['multiplyAdds']): ShapeRule {
  return { inputs, infer, ...(multiplyAdds === undefined ? {} : { multiplyAdds }) };
}

/** New memory of a shape. */
export function made(shape: Shape, dataType: number): Outcome {
  return { shape, dataType };
}

/** The same memory under another shape. */
export function viewOf({ buffer, dataType, values }: ShapedTensor, shape: Shape): Outcome {
  return { shape, dataType, shares: buffer, values };
}

/**
 * Refuses inputs of other element types than the rule's: 32-bit and 16-bit floats never mix. As in TensorFlow the inputs decide
 * what a type attribute stands for, whatever the caller named.
 */
export function requireElementTypes(call: OperationCall, { inputs }: ShapeRule): void {
  const expected = inputs === '' ? [] : inputs.split(' ').flatMap((token) => expand(call, token));
  call.require(call.inputs.length === expected.length, `wants ${expected.length} inputs, was given ${call.inputs.length}`);
  const bound = new Map<string, number>();
  for (const [index, name] of expected.entries()) {
    const { dataType } = call.input(index);
    const wanted = fixedType(name) ?? bound.get(name) ?? dataType;
    bound.set(name, wanted);
    call.require(dataType === wanted, `input ${index} has element type ${dataType}, not ${wanted} (${name})`);
  }
}

function expand(call: OperationCall, token: string): string[] {
  const [count, name] = token.split('*');
  return name === undefined || count === undefined ? [token] : new Array<string>(call.number(count)).fill(name);
}

function fixedType(name: string): number | undefined {
  return name in DATA_TYPE ? DATA_TYPE[name as keyof typeof DATA_TYPE] : undefined;
}
