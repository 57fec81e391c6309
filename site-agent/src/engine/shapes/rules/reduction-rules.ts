/** Sums, means and extremes along axes, and losses that reduce as they compute. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import { elementsOf, type OperationCall, type Outcome, sameShape } from '../operation-call.js';
import { axisOf } from './axis-of.js';
import { made, rule, type ShapeRules, viewOf } from '../shape-rule.js';

const REDUCTION = rule('T Tidx', reduce);

export const REDUCTION_RULES: ShapeRules = {
  Sum: REDUCTION,
  Mean: REDUCTION,
  Max: REDUCTION,
  Min: REDUCTION,
  Prod: REDUCTION,
  EuclideanNorm: REDUCTION,
  All: rule('bool Tidx', reduce),
  Any: rule('bool Tidx', reduce),
  ArgMax: rule('T Tidx', indexOfExtreme),
  ArgMin: rule('T Tidx', indexOfExtreme),
  L2Loss: rule('T', (call) => [made([], call.input(0).dataType)]),
  SoftmaxCrossEntropyWithLogits: rule('T T', (call) => {
    call.require(sameShape(call.shapeOf(0), call.shapeOf(1)), 'labels must have the shape of the logits');
    return lossAndGradient(call);
  }),
  SparseSoftmaxCrossEntropyWithLogits: rule('T Tlabels', (call) => {
    call.require(sameShape(call.shapeOf(1), [call.side(0, 0)]), 'there must be one label per row');
    return lossAndGradient(call);
  }),
};

/** Reducing nothing but sides of one hands the input on. */
function reduce(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  const axes = new Set(call.constantOf(1).map((axis) => axisOf(call, axis, shape.length)));
  const keep = call.flag('keep_dims', false);
  const reduced = shape.flatMap((side, axis) => (axes.has(axis) ? (keep ? [1] : []) : [side]));
  const same = elementsOf(reduced) === elementsOf(shape);
  return [same ? viewOf(call.input(0), reduced) : made(reduced, dataType)];
}

function indexOfExtreme(call: OperationCall): Outcome[] {
  const { shape } = call.input(0);
  const [axis] = call.constantOf(1);
  const reduced = shape.filter((_, i) => i !== axisOf(call, axis ?? 0, shape.length));
  return [made(reduced, call.namedType('output_type') ?? DATA_TYPE.int64)];
}

function lossAndGradient(call: OperationCall): Outcome[] {
  const { shape, dataType } = call.input(0);
  call.require(shape.length === 2, 'wants [rows, classes]');
  return [made([call.side(0, 0)], dataType), made(shape, dataType)];
}
