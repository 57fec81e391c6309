import { describeWithBfloat16 } from '../../../../test/fixtures/describe-with-bfloat16.js';
import {
  f32,
  type Given,
  given,
  int32s,
  names,
  OPERATION_CASES,
  type OperationCase,
  REFUSED_CASES,
  scalar,
  T,
  vector,
} from '../../../../test/fixtures/operation-cases.js';
import { dimensions, elementType, flag, text } from '../attributes.js';
import { loadBinding } from '../runtime/load-binding.js';
import { DATA_TYPE, type OperationAttribute, type TensorflowBinding, type TensorValues } from '../runtime/tensorflow-binding.js';
import { ShapeBinding } from './shape-binding.js';
import { ruledOperations } from './shape-rules.js';

const { float32, int32, bfloat16 } = DATA_TYPE;
const tensorflow = loadBinding(undefined, { intraOpThreads: 2 });

function create(binding: TensorflowBinding, { shape, dataType, values }: Given): number {
  const count = shape.reduce((product, side) => product * side, 1);
  if (dataType === bfloat16) {
    const exact = create(binding, { shape, dataType: float32 });
    const [cast] = binding.executeOp('Cast', [elementType('SrcT'), elementType('DstT', bfloat16)], [exact], 1);
    binding.deleteTensor(exact);
    return cast?.id ?? 0;
  }
  return binding.createTensor(shape, dataType, filled(dataType, count, values));
}

function filled(dataType: number, count: number, values: readonly number[] | undefined): TensorValues {
  if (dataType === int32) return Int32Array.from(values ?? new Array<number>(count).fill(1));
  if (dataType === float32) return new Float32Array(count).fill(1);
  return new Uint8Array(count);
}

/** What the operation gives: shape and element type of each result; frees everything. */
function outcomes(binding: TensorflowBinding, { operation, attributes, inputs, outputs }: OperationCase): unknown {
  const before = binding.getNumOfTensors();
  const ids = inputs.map((input) => create(binding, input));
  try {
    const results = binding.executeOp(operation, attributes, ids, outputs);
    for (const { id } of results) binding.deleteTensor(id);
    return results.map(({ shape, dtype }) => ({ shape: plain(operation, shape, inputs), dtype }));
  } finally {
    for (const id of ids) binding.deleteTensor(id);
    expect(binding.getNumOfTensors()).toBe(before);
  }
}

/** How many marks the fused norm reserves depends on the processor: one bit or one byte for each element. */
function plain(operation: string, shape: readonly number[], [input]: readonly Given[]): unknown {
  const elements = input?.shape.reduce((product, side) => product * side, 1) ?? 0;
  const marks = operation === '_MklNativeFusedBatchNormEx' && [elements, Math.ceil(elements / 8)].includes(shape[0] ?? 0);
  return marks ? 'marks' : Array.from(shape);
}

const titled = (cases: readonly OperationCase[]): [string, OperationCase][] =>
  cases.map((each) => [`${each.operation} ${each.inputs.map(({ shape }) => `[${shape.join()}]`).join(' ')}`, each]);

describe('the shape-only backend beside TensorFlow', () => {
  const usesBfloat16 = ({ inputs }: OperationCase): boolean => inputs.some(({ dataType }) => dataType === bfloat16);
  compare(OPERATION_CASES.filter((each) => !usesBfloat16(each)));
  // Without oneDNN some operations are missing in bfloat16 and others keep less for the way back.
  describeWithBfloat16('in bfloat16', () => compare(OPERATION_CASES.filter(usesBfloat16)));

  function compare(cases: readonly OperationCase[]): void {
    it.each(titled(cases))('gives the same shapes and element types: %s', (_title, each) => {
      const shapes = new ShapeBinding();
      expect(outcomes(shapes, each)).toEqual(outcomes(tensorflow, each));
      expect(shapes.liveBytes).toBe(0);
    });
  }

  it.each(titled(REFUSED_CASES))('refuses what TensorFlow refuses: %s', (_title, each) => {
    expect(() => outcomes(tensorflow, each)).toThrow();
    expect(() => outcomes(new ShapeBinding(), each)).toThrow();
  });

  it('has a case for every operation with a rule', () => {
    const elsewhere = ruledOperations().filter((name) => /Variable|^VarHandle|^ResourceApply/.test(name));
    const tried = new Set([...OPERATION_CASES.map(({ operation }) => operation), ...elsewhere, ...KEYED]);
    expect(ruledOperations().filter((name) => !tried.has(name))).toEqual([]);
  });

  it('wants as many results as there are', () => {
    expect(() => outcomes(new ShapeBinding(), given('Relu', [T], [f32(2)], 2))).toThrow(/1 results, not 2/);
  });
});

const KEYED = names('StatelessRandomUniformV2 StatelessRandomNormalV2 StatelessTruncatedNormalV2');

describe('random numbers from a key', () => {
  it.each(KEYED)('have the same shape on both: %s', (operation) => {
    const [shapes, numbers] = [new ShapeBinding(), tensorflow].map((binding) => {
      const before = binding.getNumOfTensors();
      const [seed, shape] = [create(binding, vector(3, 4)), create(binding, vector(2, 5))];
      const keys = binding.executeOp('StatelessRandomGetKeyCounter', [int32s('Tseed')], [seed], 2).map(({ id }) => id);
      const algorithm = create(binding, scalar(1));
      const attributes = [elementType('dtype'), int32s('Tshape')];
      const [drawn] = binding.executeOp(operation, attributes, [shape, ...keys, algorithm], 1);
      for (const id of [seed, shape, ...keys, algorithm, drawn?.id ?? 0]) binding.deleteTensor(id);
      expect(binding.getNumOfTensors()).toBe(before);
      return { shape: Array.from(drawn?.shape ?? []), dtype: drawn?.dtype };
    });
    expect(shapes).toEqual(numbers);
  });
});

describe('variables', () => {
  const VALUE = [elementType('dtype')];
  const HANDLE = [
    ...VALUE,
    dimensions('shape', [2, 3]),
    text('container', ''),
    text('shared_name', 'cd2c89b7-88b7-44c8-ad83-06c2a9158347'),
  ];
  const UPDATE = [T, flag('use_locking', false), flag('use_nesterov', false)];

  /** Makes variables, changes one by the named operation and reads it; what was read, and the live tensors on the way. */
  function changed(
    binding: TensorflowBinding,
    operation: string,
    attributes: readonly OperationAttribute[],
    slots: number,
    scalars: number[],
  ): unknown {
    const before = binding.getNumOfTensors();
    const handles = Array.from({ length: slots + 1 }, () => {
      const [handle] = binding.executeOp('VarHandleOp', HANDLE, [], 1);
      const value = create(binding, f32(2, 3));
      binding.executeOp('AssignVariableOp', VALUE, [handle?.id ?? 0, value], 0);
      binding.deleteTensor(value);
      return handle ?? { id: 0, shape: [], dtype: 0 };
    });
    const gradient = create(binding, f32(2, 3));
    // A position of −1 is the gradient's, others are scalars.
    const inputs = scalars.map((kind) => (kind === -1 ? gradient : create(binding, f32())));
    binding.executeOp(operation, attributes, [...handles.map(({ id }) => id), ...inputs], 0);
    const [view] = binding.executeOp('ReadVariableOp', VALUE, [handles[0]?.id ?? 0], 1);
    const alive = binding.getNumOfTensors() - before;
    for (const id of new Set([...handles.map(({ id }) => id), ...inputs, gradient, view?.id ?? 0])) binding.deleteTensor(id);
    expect(binding.getNumOfTensors()).toBe(before);
    return {
      alive,
      handle: [Array.from(handles[0]?.shape ?? []), handles[0]?.dtype],
      view: [Array.from(view?.shape ?? []), view?.dtype],
    };
  }

  it.each([
    ['AssignAddVariableOp', VALUE, 0, [-1]],
    ['AssignSubVariableOp', VALUE, 0, [-1]],
    ['ResourceApplyGradientDescent', UPDATE.slice(0, 2), 0, [0, -1]],
    ['ResourceApplyMomentum', UPDATE, 1, [0, -1, 0]],
    ['ResourceApplyKerasMomentum', UPDATE, 1, [0, -1, 0]],
    ['ResourceApplyAdam', UPDATE, 2, [0, 0, 0, 0, 0, 0, -1]],
  ] as const)('are made, changed by %s and read alike', (operation, attributes, slots, scalars) => {
    const shapes = new ShapeBinding();
    expect(changed(shapes, operation, attributes, slots, [...scalars])).toEqual(
      changed(tensorflow, operation, attributes, slots, [...scalars]),
    );
    expect(shapes.liveBytes).toBe(0);
  });
});
