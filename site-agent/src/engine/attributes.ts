import { ATTRIBUTE_TYPE, DATA_TYPE, type OperationAttribute } from './runtime/tensorflow-binding.js';

/** A data-type attribute; 32-bit floats unless another DATA_TYPE is named. */
export function elementType(name: string, value: number = DATA_TYPE.float32): OperationAttribute {
  return { name, type: ATTRIBUTE_TYPE.type, value };
}

export function integers(name: string, value: number | readonly number[]): OperationAttribute {
  return { name, type: ATTRIBUTE_TYPE.int, value };
}

export function real(name: string, value: number): OperationAttribute {
  return { name, type: ATTRIBUTE_TYPE.float, value };
}

export function flag(name: string, value: boolean): OperationAttribute {
  return { name, type: ATTRIBUTE_TYPE.bool, value };
}

export function text(name: string, value: string): OperationAttribute {
  return { name, type: ATTRIBUTE_TYPE.string, value };
}

export function dimensions(name: string, value: readonly number[]): OperationAttribute {
  return { name, type: ATTRIBUTE_TYPE.shape, value };
}

/**
 * Attributes that depend on the element type, made once per type: `byType((type) => [elementType('T', type)])(tensor)` are
 * those for the tensor's type, so that one layer serves every precision.
 */
export function byType(
  make: (type: number) => readonly OperationAttribute[],
): (tensor: { readonly dataType: number }) => readonly OperationAttribute[] {
  const made = new Map<number, readonly OperationAttribute[]>();
  return ({ dataType }) => {
    const known = made.get(dataType) ?? make(dataType);
    made.set(dataType, known);
    return known;
  };
}

/** T = the tensor's own type: all that most element-wise operations ask for. */
export const SAME_TYPE = byType((type) => [elementType('T', type)]);

/** T = 32-bit float, the one attribute of most element-wise operations. */
export const FLOAT: readonly OperationAttribute[] = [elementType('T')];

/** Selects oneDNN's own kernel of a private operation; without it the operation "succeeds" with an empty result. */
export const NATIVE_KERNEL: OperationAttribute = text('_kernel', 'MklNameChangeOp');
