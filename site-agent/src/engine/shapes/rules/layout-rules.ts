/** Operations that move, cut and join tensors. Where TensorFlow hands on the memory instead of copying it, so do the rules. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import { elementsOf, type OperationCall, type Outcome, sameShape, type Shape } from '../operation-call.js';
import { made, rule, type ShapeRules, viewOf } from '../shape-rule.js';
import { axisOf } from './axis-of.js';
import { batchToSpace, spaceToBatch } from './block-moves.js';
import { slice, split, stridedSlice } from './cut-rules.js';

export const LAYOUT_RULES: ShapeRules = {
  Reshape: rule('T Tshape', reshape),
  ExpandDims: rule('T Tdim', expand),
  Squeeze: rule('T', squeeze),
  Bitcast: rule('T', (call) => [
    { ...viewOf(call.input(0), call.shapeOf(0)), dataType: call.namedType('type') ?? call.refuse('names no type') },
  ]),
  Shape: rule('T', (call) => [{ shape: [call.shapeOf(0).length], dataType: DATA_TYPE.int32, values: call.shapeOf(0) }]),
  ConcatV2: rule('N*T Tidx', (call) =>
    join(
      call,
      call.inputs.slice(0, -1).map(({ shape }) => shape),
    ),
  ),
  Pack: rule('N*T', pack),
  Unpack: rule('T', unpack),
  Split: rule('int32 T', (call) => {
    const axis = axisOf(call, call.constantOf(0)[0] ?? 0, call.shapeOf(1).length);
    const parts = call.number('num_split');
    return split(call, 1, axis, new Array<number>(parts).fill(call.side(1, axis) / parts));
  }),
  SplitV: rule('T Tlen int32', (call) =>
    split(call, 0, axisOf(call, call.constantOf(2)[0] ?? 0, call.shapeOf(0).length), call.constantOf(1)),
  ),
  Slice: rule('T Index Index', slice),
  StridedSlice: rule('T Index Index Index', stridedSlice),
  Pad: rule('T Tpaddings', pad),
  PadV2: rule('T Tpaddings T', pad),
  MirrorPad: rule('T Tpaddings', pad),
  Transpose: rule('T Tperm', transpose),
  Tile: rule('T Tmultiples', (call) =>
    copyUnlessSame(
      call,
      call.shapeOf(0).map((side, axis) => side * (call.constantOf(1)[axis] as number)),
    ),
  ),
  BroadcastTo: rule('T Tidx', (call) => copyUnlessSame(call, call.constantOf(1))),
  ReverseV2: rule('T Tidx', (call) => [made(call.shapeOf(0), call.input(0).dataType)]),
  GatherV2: rule('Tparams Tindices Taxis', gather),
  OneHot: rule('TI int32 T T', (call) => [made([...call.shapeOf(0), call.constantOf(1)[0] ?? 0], call.input(2).dataType)]),
  SpaceToBatchND: rule('T Tblock_shape Tpaddings', spaceToBatch),
  BatchToSpaceND: rule('T Tblock_shape Tcrops', batchToSpace),
};

function reshape(call: OperationCall): Outcome[] {
  const wanted = call.constantOf(1);
  const elements = elementsOf(call.shapeOf(0));
  const known = elementsOf(wanted.filter((side) => side !== -1));
  const shape = wanted.map((side) => (side === -1 ? elements / known : side));
  call.require(elementsOf(shape) === elements && shape.every(Number.isInteger), `does not fit into [${wanted.join()}]`);
  return [viewOf(call.input(0), shape)];
}

function expand(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const axis = axisOf(call, call.constantOf(1)[0] ?? 0, shape.length + 1);
  return [viewOf(call.input(0), shape.toSpliced(axis, 0, 1))];
}

function squeeze(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const axes = call.list('squeeze_dims', []).map((axis) => axisOf(call, axis, shape.length));
  for (const axis of axes) call.require(shape[axis] === 1, `side ${axis} is not 1`);
  const kept = shape.filter((side, axis) => (axes.length === 0 ? side !== 1 : !axes.includes(axis)));
  return [viewOf(call.input(0), kept)];
}

function join(call: OperationCall, shapes: readonly Shape[]): Outcome[] {
  const [first = []] = shapes;
  const axis = axisOf(call, call.constantOf(-1)[0] ?? 0, first.length);
  let length = 0;
  for (const shape of shapes) {
    call.require(sameShape(shape.with(axis, 0), first.with(axis, 0)), `all sides but ${axis} must agree`);
    length += shape[axis] as number;
  }
  return [made(first.with(axis, length), call.input(0).dataType)];
}

function pack(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  for (const other of call.inputs) call.require(sameShape(other.shape, shape), 'all inputs must have one shape');
  const packed = shape.toSpliced(axisOf(call, call.number('axis', 0), shape.length + 1), 0, call.inputs.length);
  return [call.inputs.length === 1 ? viewOf(call.input(0), packed) : made(packed, dataType)];
}

function unpack(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const axis = axisOf(call, call.number('axis', 0), shape.length);
  const parts = split(call, 0, axis, new Array<number>(call.number('num')).fill(1));
  return parts.map((part) => ({ ...part, shape: shape.toSpliced(axis, 1) }));
}

function pad(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const amounts = call.constantOf(1);
  call.require(amounts.length === 2 * shape.length, 'wants two amounts for each side');
  return copyUnlessSame(
    call,
    shape.map((side, axis) => side + (amounts[2 * axis] as number) + (amounts[2 * axis + 1] as number)),
  );
}

/** Only sides of one change places: the order of the elements stays. */
function transpose(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  const order = call.constantOf(1).map((axis) => axisOf(call, axis, shape.length));
  call.require(new Set(order).size === shape.length && order.length === shape.length, 'names each axis once');
  const moved = order.map((axis) => shape[axis] as number);
  const long = order.filter((axis) => shape[axis] !== 1);
  const inOrder = long.every((axis, i) => i === 0 || axis > (long[i - 1] as number));
  return [inOrder ? viewOf(call.input(0), moved) : made(moved, dataType)];
}

function gather(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  const axis = axisOf(call, call.constantOf(2)[0] ?? 0, shape.length);
  call.require(call.number('batch_dims', 0) === 0, 'has no rule for batch_dims');
  return [made(shape.toSpliced(axis, 1, ...call.shapeOf(1)), dataType)];
}

function copyUnlessSame(call: OperationCall, shape: Shape): Outcome[] {
  const { dataType } = call.input(0);
  return [sameShape(shape, call.shapeOf(0)) ? viewOf(call.input(0), shape) : made(shape, dataType)];
}
