/** Parts of a tensor. A part along the first axis is a view when it begins and ends on the 64 bytes that kernels want. */
import { bytesOf, type OperationCall, type Outcome, sameShape, type Shape, type ShapedTensor } from '../operation-call.js';
import { made, viewOf } from '../shape-rule.js';

const ALIGNMENT_BYTES = 64;

/** Input `index` in parts of the given sizes. */
export function split(call: OperationCall, index: number, axis: number, sizes: readonly number[]): Outcome[] {
  const whole = call.input(index);
  call.require(sizes.reduce((sum, size) => sum + size, 0) === whole.shape[axis], 'the parts must make up the whole');
  call.require(sizes.every(Number.isInteger), 'the parts must be whole numbers');
  const shared = sizes.length === 1 || (axis === 0 && alignedRows(whole));
  return sizes.map((size) => {
    const shape = whole.shape.with(axis, size);
    return shared ? viewOf(whole, shape) : made(shape, whole.dataType);
  });
}

export function slice(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const [begin, size] = [call.constantOf(1), call.constantOf(2)];
  call.require(begin.length === shape.length && size.length === shape.length, 'wants a place and a size for each side');
  const kept = shape.map((side, axis) => (size[axis] === -1 ? side - (begin[axis] as number) : (size[axis] as number)));
  const fits = kept.every(
    (side, axis) => side >= 0 && (begin[axis] as number) >= 0 && (begin[axis] as number) + side <= (shape[axis] as number),
  );
  call.require(fits, `[${begin.join()}] + [${kept.join()}] does not lie inside`);
  return [cut(call.input(0), kept, kept)];
}

export function stridedSlice(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const [begin, end, strides] = [call.constantOf(1), call.constantOf(2), call.constantOf(3)];
  const masked = (name: string, axis: number): boolean => ((call.number(name, 0) >> axis) & 1) === 1;
  call.require(call.number('ellipsis_mask', 0) === 0 && call.number('new_axis_mask', 0) === 0, 'has no rule for these masks');
  call.require(
    strides.every((stride) => stride > 0),
    'has no rule for negative strides',
  );
  const kept = shape.map((side, axis) => {
    if (axis >= begin.length) return side;
    const first = masked('begin_mask', axis) ? 0 : fromFront(begin[axis] as number, side);
    if (masked('shrink_axis_mask', axis)) return 1;
    const last = masked('end_mask', axis) ? side : fromFront(end[axis] as number, side);
    return Math.max(0, Math.ceil((last - first) / (strides[axis] as number)));
  });
  const result = kept.filter((_, axis) => axis >= begin.length || !masked('shrink_axis_mask', axis));
  const plain = strides.every((stride) => stride === 1);
  return [plain ? cut(call.input(0), kept, result) : made(result, call.input(0).dataType)];
}

function cut(whole: ShapedTensor, kept: Shape, result: Shape): Outcome {
  const rows = sameShape(kept.slice(1), whole.shape.slice(1));
  const shared = sameShape(kept, whole.shape) || (rows && alignedRows(whole));
  return shared ? viewOf(whole, result) : made(result, whole.dataType);
}

function alignedRows({ shape, dataType }: ShapedTensor): boolean {
  return bytesOf(shape.slice(1), dataType) % ALIGNMENT_BYTES === 0;
}

function fromFront(place: number, side: number): number {
  return Math.min(Math.max(place < 0 ? place + side : place, 0), side);
}
