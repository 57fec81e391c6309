import type { OperationCall } from '../operation-call.js';

/** An axis counted from the front, checked; negative ones count from the end. */
export function axisOf(call: OperationCall, axis: number, length: number): number {
  call.require(axis >= -length && axis < length, `there is no axis ${axis}`);
  return axis < 0 ? axis + length : axis;
}
