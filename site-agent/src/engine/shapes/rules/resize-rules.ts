/** Interpolation of images, [examples, x, y, channels]. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import type { OperationCall, Outcome } from '../operation-call.js';
import { made, rule, type ShapeRules } from '../shape-rule.js';

export const RESIZE_RULES: ShapeRules = {
  /** 32-bit floats whatever goes in. */
  ResizeBilinear: rule('T int32', (call) => resized(call, call.constantOf(1), DATA_TYPE.float32)),
  ResizeNearestNeighbor: rule('T int32', (call) => resized(call, call.constantOf(1), call.input(0).dataType)),
  ResizeBilinearGrad: rule('float32 T', (call) => [made(call.shapeOf(1), call.input(1).dataType)]),
  ResizeNearestNeighborGrad: rule('T int32', (call) => resized(call, call.constantOf(1), call.input(0).dataType)),
};

function resized(call: OperationCall, sides: readonly number[], dataType: number): Outcome[] {
  call.require(call.shapeOf(0).length === 4, 'wants four sides');
  return [made([call.side(0, 0), ...sides, call.side(0, 3)], dataType)];
}
