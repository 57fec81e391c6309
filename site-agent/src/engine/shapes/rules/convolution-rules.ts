/** Shapes of three-dimensional convolutions, [examples, x, y, z, channels] with kernels [x, y, z, in, out], and their gradients. */
import { elementsOf, type OperationCall, type Outcome, sameShape, type Shape } from '../operation-call.js';
import { made, rule, type ShapeRules } from '../shape-rule.js';
import { windowedSide } from './windowed-side.js';

export const CONVOLUTION_RULES: ShapeRules = {
  Conv3D: rule('T T', forward, (call, [output]) => products(output?.shape ?? [], call.shapeOf(1))),
  Conv3DBackpropInputV2: rule('Tshape T T', inputGradient, (call) => products(call.shapeOf(2), call.shapeOf(1))),
  Conv3DBackpropFilterV2: rule('T int32 T', filterGradient, (call, [output]) => products(call.shapeOf(2), output?.shape ?? [])),
};

function forward(call: OperationCall): Outcome[] {
  return [made(convolved(call, call.shapeOf(0), call.shapeOf(1)), call.input(0).dataType)];
}

function inputGradient(call: OperationCall): Outcome[] {
  const shape = call.constantOf(0);
  requireGradient(call, shape, call.shapeOf(1), call.shapeOf(2));
  return [made(shape, call.input(2).dataType)];
}

function filterGradient(call: OperationCall): Outcome[] {
  const shape = call.constantOf(1);
  requireGradient(call, call.shapeOf(0), shape, call.shapeOf(2));
  return [made(shape, call.input(0).dataType)];
}

function convolved(call: OperationCall, input: Shape, filter: Shape): Shape {
  call.require(call.text('data_format', 'NDHWC') === 'NDHWC', 'wants channels last');
  call.require(input.length === 5 && filter.length === 5, 'wants five sides');
  call.require(input[4] === filter[3], 'input and filter must have as many channels');
  const [strides, dilations] = [call.list('strides'), call.list('dilations', [1, 1, 1, 1, 1])];
  const sides = [1, 2, 3].map((axis) => {
    const span = ((filter[axis - 1] as number) - 1) * (dilations[axis] as number) + 1;
    return windowedSide(call, input[axis] as number, span, strides[axis] as number);
  });
  return [input[0] as number, ...sides, filter[4] as number];
}

function requireGradient(call: OperationCall, input: Shape, filter: Shape, gradient: Shape): void {
  const output = convolved(call, input, filter);
  call.require(sameShape(output, gradient), `the gradient must have the output's shape [${output.join()}]`);
}

function products(output: Shape, filter: Shape): number {
  return elementsOf(output.slice(0, 4)) * elementsOf(filter);
}
