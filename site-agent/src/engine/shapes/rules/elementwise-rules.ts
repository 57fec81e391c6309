/** Element-wise operations: of one tensor, of two that broadcast, and conversions. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import { type OperationCall, type Outcome, sameShape, type Shape } from '../operation-call.js';
import { made, rule, type ShapeRule, type ShapeRules, viewOf } from '../shape-rule.js';

const UNARY = rule('T', (call) => [made(call.shapeOf(0), call.input(0).dataType)]);
const BINARY = rule('T T', (call) => [made(broadcast(call, call.shapeOf(0), call.shapeOf(1)), call.input(0).dataType)]);
const COMPARISON = rule('T T', (call) => [made(broadcast(call, call.shapeOf(0), call.shapeOf(1)), DATA_TYPE.bool)]);
const LOGICAL = rule('bool bool', (call) => [made(broadcast(call, call.shapeOf(0), call.shapeOf(1)), DATA_TYPE.bool)]);
/** Two tensors of exactly one shape, as the kernels of gradients demand. */
const ALIKE = rule('T T', (call) => {
  call.require(sameShape(call.shapeOf(0), call.shapeOf(1)), 'both inputs must have one shape');
  return [made(call.shapeOf(0), call.input(0).dataType)];
});
const TEST = rule('T', (call) => [made(call.shapeOf(0), DATA_TYPE.bool)]);

function each(shared: ShapeRule, names: string): ShapeRules {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, shared]));
}

export const ELEMENTWISE_RULES: ShapeRules = {
  ...each(UNARY, 'Relu Relu6 LeakyRelu Elu Selu Sigmoid Tanh Softplus Softsign Erf Erfc Softmax LogSoftmax'),
  ...each(UNARY, 'Exp Expm1 Log Log1p Sqrt Rsqrt Square Reciprocal Inv Neg Abs Sign Round Rint Floor Ceil Sin Cos'),
  ...each(UNARY, 'ZerosLike OnesLike'),
  ...each(
    BINARY,
    'Add AddV2 Sub Mul MulNoNan Div RealDiv DivNoNan FloorDiv FloorMod Pow Maximum Minimum SquaredDifference Xlogy Atan2',
  ),
  ...each(COMPARISON, 'Greater GreaterEqual Less LessEqual Equal NotEqual'),
  ...each(LOGICAL, 'LogicalAnd LogicalOr'),
  ...each(ALIKE, 'ReluGrad Relu6Grad LeakyReluGrad EluGrad SeluGrad SigmoidGrad TanhGrad SoftplusGrad SoftsignGrad'),
  ...each(ALIKE, 'SqrtGrad RsqrtGrad ReciprocalGrad InvGrad'),
  ...each(TEST, 'IsFinite IsNan IsInf'),
  LogicalNot: rule('bool', (call) => [made(call.shapeOf(0), DATA_TYPE.bool)]),
  Identity: rule('T', passOn),
  StopGradient: rule('T', passOn),
  Cast: rule('SrcT', cast),
  Select: rule('bool T T', (call) => [made(call.shapeOf(1), call.input(1).dataType)]),
  SelectV2: rule('bool T T', (call) => [
    made(broadcast(call, call.shapeOf(0), broadcast(call, call.shapeOf(1), call.shapeOf(2))), call.input(1).dataType),
  ]),
  ClipByValue: rule('T T T', (call) => [made(call.shapeOf(0), call.input(0).dataType)]),
  AddN: rule('N*T', addAll),
};

function passOn(call: OperationCall): Outcome[] {
  return [viewOf(call.input(0), call.shapeOf(0))];
}

function cast(call: OperationCall): Outcome[] {
  const target = call.namedType('DstT') ?? call.refuse('names no target type');
  return target === call.input(0).dataType ? passOn(call) : [made(call.shapeOf(0), target)];
}

function addAll(call: OperationCall): Outcome[] {
  for (const { shape } of call.inputs) call.require(sameShape(shape, call.shapeOf(0)), 'all inputs must have one shape');
  return call.inputs.length === 1 ? passOn(call) : [made(call.shapeOf(0), call.input(0).dataType)];
}

/** The shape of two tensors together: sides of one repeat. */
export function broadcast(call: OperationCall, left: Shape, right: Shape): Shape {
  const length = Math.max(left.length, right.length);
  return Array.from({ length }, (_, axis) => {
    const a = left[axis - length + left.length] ?? 1;
    const b = right[axis - length + right.length] ?? 1;
    call.require(a === b || a === 1 || b === 1, `sides ${a} and ${b} do not go together`);
    return a === 1 ? b : a;
  });
}
