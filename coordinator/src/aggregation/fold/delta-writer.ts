/**
 * The delta that defines the next version: d = (wanted − base) + residual in 64 bits, rounded once to 32; q = d in the delta's number
 * format, by the codec of the sites; next = base + q, rounded once to 32 bits; residual = d − q. So what the format takes from one
 * round is added in the next (error feedback: Seide et al., Interspeech 2014; for the way down Tang et al., DoubleSqueeze, ICML
 * 2019), and whoever has the base and q has the next version in every bit.
 */
import { FederationError } from '@consilium/shared/kernel';
import { encodeChannels, encodeFloats } from '@consilium/shared/weights';
import type { DeltaOutput } from './fold-plan.js';
import { PIECE_ELEMENTS, type Run } from './pieces.js';
import { writeRange } from './range-files.js';

/** Takes one run after another, range by range, and writes its part of the delta. Holds about a MiB. */
export class DeltaWriter {
  private readonly differences = new Float32Array(PIECE_ELEMENTS);
  private readonly decoded = new Float32Array(PIECE_ELEMENTS);
  private readonly stored = new Uint8Array(4 * PIECE_ELEMENTS);

  constructor(
    private readonly output: DeltaOutput,
    private readonly elementsPerScale: readonly number[],
  ) {}

  /** A range of the run, from `place` elements of it on. */
  take(place: number, base: Float32Array, wanted: Float32Array, residual: Float32Array, count: number): void {
    const { differences } = this;
    for (let i = 0; i < count; i++) {
      differences[place + i] = (wanted[i] as number) - (base[i] as number) + (residual[i] as number);
    }
  }

  /**
   * Writes the run, whose ranges have all been taken, and makes the next version of the base in `values`. Throws UPDATE_NOT_FINITE
   * when the format cannot hold a difference.
   */
  finish(run: Run, values: Float32Array): void {
    const count = run.to - run.from;
    const differences = this.differences.subarray(0, count);
    const decoded = this.decoded.subarray(0, count);
    this.encode(run, differences, decoded);
    for (let i = 0; i < count; i++) values[i] = (values[i] as number) + (decoded[i] as number);
    const { residual } = this.output;
    if (residual === null) return;
    for (let i = 0; i < count; i++) differences[i] = (differences[i] as number) - (decoded[i] as number);
    writeRange(residual.descriptor, (residual.starts[run.tensor] as number) + 4 * run.from, differences);
  }

  private encode({ tensor, from }: Run, values: Float32Array, decoded: Float32Array): void {
    const { descriptor, starts, scaleStarts } = this.output;
    const dtype = this.output.dtypes[tensor] ?? 'F32';
    const start = starts[tensor] as number;
    if (dtype === 'I8') {
      const perScale = this.elementsPerScale[tensor] as number;
      const integers = new Int8Array(this.stored.buffer, 0, values.length);
      const scales = new Float32Array(values.length / perScale);
      if (!encodeChannels(values, { integers, scales, decoded })) throw doesNotFit();
      writeRange(descriptor, start + from, integers);
      writeRange(descriptor, (scaleStarts[tensor] as number) + (4 * from) / perScale, scales);
      return;
    }
    const bytesEach = dtype === 'F32' ? 4 : 2;
    const bytes = this.stored.subarray(0, bytesEach * values.length);
    if (!encodeFloats(values, dtype, bytes, decoded)) throw doesNotFit();
    writeRange(descriptor, start + bytesEach * from, bytes);
  }
}

function doesNotFit(): FederationError {
  return new FederationError('UPDATE_NOT_FINITE', 'a weight moves further than the number format of the delta can hold');
}
