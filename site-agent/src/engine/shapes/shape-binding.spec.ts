import { dimensions, elementType, flag, integers, text } from '../attributes.js';
import { Runtime } from '../runtime/runtime.js';
import { DATA_TYPE } from '../runtime/tensorflow-binding.js';
import type { Tensor } from '../tensor.js';
import { Variable } from '../variable.js';
import { ShapeBinding } from './shape-binding.js';

const T = elementType('T');
const INDEX = elementType('Index', DATA_TYPE.int32);
const RESHAPE = [T, elementType('Tshape', DATA_TYPE.int32)];
const SPLIT = [T, elementType('Tlen', DATA_TYPE.int32), integers('num_split', 2)];

function open(): { shapes: ShapeBinding; runtime: Runtime; zeros: (...shape: number[]) => Tensor } {
  const shapes = new ShapeBinding();
  const runtime = new Runtime(shapes);
  const zeros = (...shape: number[]): Tensor =>
    runtime.tensor(new Float32Array(shape.reduce((product, side) => product * side, 1)), shape);
  return { shapes, runtime, zeros };
}

describe('the memory that the shape-only backend counts', () => {
  it('is that of live tensors, and the most there ever was', () => {
    const { shapes, runtime, zeros } = open();
    const x = zeros(10, 10);
    const y = runtime.runOne('Relu', [T], [x]);
    expect(shapes.liveBytes).toBe(800);
    x.free();
    y.free();
    expect([shapes.liveBytes, shapes.peakBytes]).toEqual([0, 800]);
    shapes.resetPeak();
    expect(shapes.peakBytes).toBe(0);
  });

  it('counts sixteen-bit floats, marks of one byte and integers by their size', () => {
    const { shapes, runtime, zeros } = open();
    const x = zeros(16, 16);
    const half = runtime.runOne('Cast', [elementType('SrcT'), elementType('DstT', DATA_TYPE.bfloat16)], [x]);
    x.free();
    expect(shapes.liveBytes).toBe(512);
    half.free();
    runtime.integers([1, 2, 3]);
    expect(shapes.liveBytes).toBe(12);
  });

  // Each was found by holding many results at once and looking at the process' memory.
  it.each([
    ['Reshape', true, (r: Runtime, x: Tensor) => r.runOne('Reshape', RESHAPE, [x, r.integers([-1])])],
    ['Identity', true, (r: Runtime, x: Tensor) => r.runOne('Identity', [T], [x])],
    ['Cast to the same type', true, (r: Runtime, x: Tensor) => r.runOne('Cast', [elementType('SrcT'), elementType('DstT')], [x])],
    ['Squeeze', true, (r: Runtime, x: Tensor) => r.runOne('Squeeze', [T, integers('squeeze_dims', [1])], [x])],
    ['Slice of first sides', true, (r: Runtime, x: Tensor) => slice(r, x, [2, 0, 0], [2, 1, 16])],
    ['Slice of other sides', false, (r: Runtime, x: Tensor) => slice(r, x, [0, 0, 1], [4, 1, 8])],
    ['Sum over a side of one', true, (r: Runtime, x: Tensor) => r.runOne('Sum', SUM, [x, r.integers([1])])],
    ['Sum over a longer side', false, (r: Runtime, x: Tensor) => r.runOne('Sum', SUM, [x, r.integers([0])])],
    ['Transpose of a side of one', true, (r: Runtime, x: Tensor) => transpose(r, x, [1, 0, 2])],
    ['Transpose', false, (r: Runtime, x: Tensor) => transpose(r, x, [2, 1, 0])],
  ] as const)('counts shared memory once: %s', (_name, shared, make) => {
    const { shapes, runtime, zeros } = open();
    const x = zeros(4, 1, 16);
    const y = make(runtime, x);
    const constants = shapes.liveBytes;
    x.free();
    expect(shapes.liveBytes).toBe(shared ? constants : constants - 256);
    y.free();
    runtime.dispose();
    expect([shapes.liveBytes, shapes.getNumOfTensors()]).toEqual([0, 0]);
  });

  it('shares parts along the first axis only where they begin on 64 bytes', () => {
    const { shapes, runtime, zeros } = open();
    const held = ([rows, length, axis]: readonly [number, number, number]): number => {
      const x = zeros(rows, length);
      const sizes = runtime.integers([3, 1]);
      const before = shapes.liveBytes;
      const parts = runtime.run('SplitV', SPLIT, [x, sizes, runtime.integer(axis)], 2);
      const added = shapes.liveBytes - before;
      for (const tensor of [x, ...parts]) tensor.free();
      return added;
    };
    runtime.integer(0);
    runtime.integer(1);
    expect([held([4, 16, 0]), held([4, 15, 0]), held([16, 4, 1])]).toEqual([0, 240, 256]);
  });

  it('knows that a view of a variable costs nothing until the variable is updated', () => {
    const { shapes, runtime } = open();
    const variable = new Variable(runtime, [8, 8]);
    variable.assign(new Float32Array(64));
    const gradient = runtime.tensor(new Float32Array(64), [8, 8]);
    const update = (): void => void runtime.run('AssignSubVariableOp', [elementType('dtype')], [variable.handle, gradient], 0);
    update();
    expect(shapes.liveBytes).toBe(512);
    const view = variable.view();
    expect(shapes.liveBytes).toBe(512);
    update(); // the view keeps the old value
    expect(shapes.liveBytes).toBe(768);
    for (const tensor of [view, gradient]) tensor.free();
    variable.dispose();
    expect(shapes.liveBytes).toBe(0);
  });
});

describe('the shape-only backend', () => {
  it('counts operations and multiplications with additions', () => {
    const { shapes, runtime, zeros } = open();
    const [x, filter] = [zeros(2, 4, 4, 4, 3), zeros(3, 3, 3, 3, 5)];
    const steps = [integers('strides', [1, 1, 1, 1, 1]), integers('dilations', [1, 1, 1, 1, 1])];
    const attributes = [T, ...steps, text('padding', 'SAME'), text('data_format', 'NDHWC')];
    const y = runtime.runOne('Conv3D', attributes, [x, filter]);
    expect(shapes.multiplyAdds).toBe(2 * 64 * 27 * 3 * 5);
    runtime.runOne('Conv3DBackpropFilterV2', attributes, [x, runtime.integers(filter.shape), y]).free();
    runtime.runOne('MatMul', [T], [zeros(2, 3), zeros(3, 4)]).free();
    expect(shapes.multiplyAdds).toBe(2 * (2 * 64 * 27 * 3 * 5) + 24);
    expect(Object.fromEntries(shapes.operations)).toEqual({ Conv3D: 1, Conv3DBackpropFilterV2: 1, MatMul: 1 });
    shapes.resetCounts();
    expect([shapes.operations.size, shapes.multiplyAdds]).toEqual([0, 0]);
  });

  it('names an operation that has no rule', () => {
    const { runtime, zeros } = open();
    expect(() => runtime.runOne('Conv9D', [T], [zeros(1)])).toThrow(/Conv9D has a rule/);
    expect(() => runtime.runOne('Conv9D', [T], [zeros(1)])).toThrow(expect.objectContaining({ code: 'INVARIANT' }) as Error);
  });

  it('tells shapes that do not fit as TensorFlow would: the operation is refused', () => {
    const { runtime, zeros } = open();
    const wrong = (): unknown => runtime.runOne('AddV2', [T], [zeros(2, 3), zeros(4)]);
    expect(wrong).toThrow(expect.objectContaining({ code: 'OPERATION_FAILED' }) as Error);
    expect(wrong).toThrow(/AddV2.*\[2,3\] \[4\]/);
  });

  it('catches every use after release', () => {
    const { shapes, runtime, zeros } = open();
    const x = zeros(2);
    const { id } = x;
    x.free();
    expect(() => x.free()).toThrow(/freed once/);
    expect(() => runtime.runOne('Relu', [T], [x])).toThrow(/not used after it was freed/);
    expect(() => shapes.executeOp('Relu', [T], [id], 1)).toThrow(/only while it lives/);
    expect(() => shapes.deleteTensor(id)).toThrow(/only while it lives/);
    expect(() => shapes.tensorDataSync(id)).toThrow(/only while it lives/);
  });

  it('reads zeros of the right length, and constants as they are', () => {
    const { shapes, runtime, zeros } = open();
    expect(runtime.read(zeros(2, 3))).toEqual(new Float32Array(6));
    expect(shapes.tensorDataSync(runtime.integers([4, 5]).id)).toEqual(Int32Array.of(4, 5));
    expect(() => runtime.tensor(new Float32Array(5), [2, 3])).toThrow(/do not fill/);
  });

  it('refuses to assign another shape to a variable', () => {
    const { shapes, runtime, zeros } = open();
    const attributes = [elementType('dtype'), dimensions('shape', [2]), text('container', ''), text('shared_name', '')];
    const handle = runtime.runOne('VarHandleOp', attributes, []);
    expect(() => runtime.run('AssignVariableOp', [elementType('dtype')], [handle, zeros(3)], 0)).toThrow(/shape \[2\]/);
    expect(() => runtime.runOne('ReadVariableOp', [elementType('dtype')], [handle])).toThrow(/only after it was assigned/);
    expect(shapes.isUsingGpuDevice()).toBe(false);
  });
});

const SUM = [T, elementType('Tidx', DATA_TYPE.int32), flag('keep_dims', false)];

function slice(runtime: Runtime, x: Tensor, begin: number[], size: number[]): Tensor {
  return runtime.runOne('Slice', [T, INDEX], [x, runtime.integers(begin), runtime.integers(size)]);
}

function transpose(runtime: Runtime, x: Tensor, order: number[]): Tensor {
  return runtime.runOne('Transpose', [T, elementType('Tperm', DATA_TYPE.int32)], [x, runtime.integers(order)]);
}
