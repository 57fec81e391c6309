import type { OperationCall } from '../operation-call.js';

/** The side that a sliding window of `span` voxels leaves: TensorFlow's SAME and VALID, explicit padding it has none in 3D. */
export function windowedSide(call: OperationCall, side: number, span: number, stride: number): number {
  const padding = call.text('padding');
  if (padding === 'SAME') return Math.ceil(side / stride);
  call.require(padding === 'VALID', `does not know the padding ${padding}`);
  call.require(side >= span, `a window of ${span} does not fit into a side of ${side}`);
  return Math.floor((side - span) / stride) + 1;
}
