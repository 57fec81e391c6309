/** Shapes of three-dimensional pooling, public and oneDNN's own, and of its gradients. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import { elementsOf, type OperationCall, type Outcome, sameShape, type Shape } from '../operation-call.js';
import { made, rule, type ShapeRules } from '../shape-rule.js';
import { windowedSide } from './windowed-side.js';

export const POOLING_RULES: ShapeRules = {
  MaxPool3D: rule('T', pool),
  AvgPool3D: rule('T', pool),
  MaxPool3DGrad: rule('TInput TInput T', maximumGradient),
  AvgPool3DGrad: rule('int32 T', meanGradient),
  _MklNativeMaxPool3D: rule('T', poolWithPlaces),
  _MklNativeMaxPool3DGrad: rule('T T T uint8', maximumGradient),
  _MklNativeAvgPool3D: rule('T', pool),
  _MklNativeAvgPool3DGrad: rule('int32 T', meanGradient),
};

function pool(call: OperationCall): Outcome[] {
  return [made(pooled(call, call.shapeOf(0)), call.input(0).dataType)];
}

/** The second result says in one byte for each output which voxel of the window was the largest. */
function poolWithPlaces(call: OperationCall): Outcome[] {
  const [output] = pool(call);
  const shape = output?.shape ?? [];
  return [made(shape, call.input(0).dataType), made([elementsOf(shape)], DATA_TYPE.uint8)];
}

function maximumGradient(call: OperationCall): Outcome[] {
  const output = pooled(call, call.shapeOf(0));
  call.require(sameShape(output, call.shapeOf(1)), `the output must have the shape [${output.join()}]`);
  call.require(sameShape(output, call.shapeOf(2)), `the gradient must have the shape [${output.join()}]`);
  return [made(call.shapeOf(0), call.input(2).dataType)];
}

function meanGradient(call: OperationCall): Outcome[] {
  const input = call.constantOf(0);
  const output = pooled(call, input);
  call.require(sameShape(output, call.shapeOf(1)), `the gradient must have the shape [${output.join()}]`);
  return [made(input, call.input(1).dataType)];
}

function pooled(call: OperationCall, input: Shape): Shape {
  call.require(call.text('data_format', 'NDHWC') === 'NDHWC', 'wants channels last');
  call.require(input.length === 5, 'wants five sides');
  const [window, strides] = [call.list('ksize'), call.list('strides')];
  return input.map((side, axis) => windowedSide(call, side, window[axis] as number, strides[axis] as number));
}
