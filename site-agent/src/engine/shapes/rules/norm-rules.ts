/** Shapes of batch normalisation over tensors of four sides, [examples, x, y, channels]. */
import { DATA_TYPE } from '../../runtime/tensorflow-binding.js';
import { elementsOf, type OperationCall, type Outcome, sameShape } from '../operation-call.js';
import { made, rule, type ShapeRules } from '../shape-rule.js';

export const NORM_RULES: ShapeRules = {
  FusedBatchNormV3: rule('T U U U U', (call) => forward(call, 0)),
  _MklNativeFusedBatchNormEx: rule('T U U U U', (call) => forward(call, rectifiedMarks(call))),
  FusedBatchNormGradV3: rule('T T float32 U U U', backward),
};

/** Result, mean, variance, the same two saved for the gradient, and a reserve. */
function forward(call: OperationCall, reserve: number): Outcome[] {
  const { shape, dataType } = call.input(0);
  const channels = requireChannels(call, [1, 2]);
  const statistics = Array.from({ length: 4 }, () => made([channels], DATA_TYPE.float32));
  return [made(shape, dataType), ...statistics, made([reserve], DATA_TYPE.float32)];
}

/**
 * oneDNN remembers where the ReLU cut: one bit per element where the channels fill its vectors, else one byte; it asks for four
 * times as much (it counts 32-bit floats). Vectors of 64 bytes are assumed; a processor with shorter ones asks for no more.
 */
function rectifiedMarks(call: OperationCall): number {
  const { shape, dataType } = call.input(0);
  if (call.text('activation_mode', 'Identity') !== 'Relu') return 0;
  const fills = call.side(0, 3) % (dataType === DATA_TYPE.bfloat16 ? 16 : 8) === 0;
  return fills ? Math.ceil(elementsOf(shape) / 8) : elementsOf(shape);
}

/** Gradients of input, scale and offset, and two results without meaning. */
function backward(call: OperationCall): Outcome[] {
  call.require(sameShape(call.shapeOf(0), call.shapeOf(1)), 'the gradient must have the shape of the input');
  const channels = requireChannels(call, [2, 3, 4]);
  const perChannel = [made([channels], DATA_TYPE.float32), made([channels], DATA_TYPE.float32)];
  const empty = [made([], DATA_TYPE.float32), made([], DATA_TYPE.float32)];
  return [made(call.shapeOf(1), call.input(0).dataType), ...perChannel, ...empty];
}

function requireChannels(call: OperationCall, vectors: readonly number[]): number {
  call.require(call.text('data_format', 'NHWC') === 'NHWC', 'wants channels last');
  call.require(call.shapeOf(0).length === 4, 'wants four sides');
  const channels = call.side(0, 3);
  for (const index of vectors)
    call.require(sameShape(call.shapeOf(index), [channels]), `input ${index} has one value per channel`);
  return channels;
}
