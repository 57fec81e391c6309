import { invariant } from '@consilium/shared/kernel';
import type { OperationAttribute, TensorMetadata, TensorValues } from '../runtime/tensorflow-binding.js';
import type { SharedBuffer } from '../shapes/buffer-ledger.js';
import { sameShape } from '../shapes/operation-call.js';
import { ShapeBinding } from '../shapes/shape-binding.js';
import { type MemoryShare, type Place, STATE } from './operation-record.js';

/**
 * Keeps account of the memory behind TensorFlow's tensors, who made each piece, and what was alive at the peak. TensorFlow
 * does not tell which tensors share memory, so each call is repeated on the shape-only backend, which knows.
 */
export class MemoryMirror {
  private readonly shapes = new ShapeBinding();
  private readonly mirrored = new Map<number, number>();
  private readonly makers = new Map<SharedBuffer, Place>();
  private peak: { bytes: number; shares: readonly MemoryShare[] } = { bytes: 0, shares: [] };

  /** Bytes of all live tensors and variables; shared memory counts once. */
  get liveBytes(): number {
    return this.shapes.liveBytes;
  }

  /** The most bytes alive since the last {@link beginStep}, and whose they were. */
  get peakUse(): { readonly bytes: number; readonly shares: readonly MemoryShare[] } {
    return this.peak;
  }

  /** The peak counts from now on; what is alive already is weights and optimizer state. */
  beginStep(): void {
    this.shapes.resetPeak();
    for (const buffer of this.makers.keys()) this.makers.set(buffer, STATE);
    this.peak = { bytes: 0, shares: [] };
    this.notePeak();
  }

  created(id: number, shape: readonly number[], type: number, values: TensorValues | readonly Uint8Array[], maker: Place): void {
    this.adopt(id, this.shapes.createTensor(shape, type, values), maker);
    this.notePeak();
  }

  executed(
    operation: string,
    attributes: readonly OperationAttribute[],
    inputIds: readonly number[],
    outputs: readonly TensorMetadata[],
    maker: Place,
  ): void {
    const inputs = inputIds.map((id) => this.mirrorOf(id));
    const shaped = this.shapes.executeOp(operation, attributes, inputs, outputs.length);
    for (const [index, { id, shape }] of outputs.entries()) {
      const expected = shaped[index];
      const agrees = expected !== undefined && sameShape(expected.shape, shape);
      invariant(agrees, `the shape rule of ${operation} foresees the shape of output ${index}`);
      this.adopt(id, expected.id, maker);
    }
    this.notePeak();
  }

  deleted(id: number): void {
    this.shapes.deleteTensor(this.mirrorOf(id));
    this.mirrored.delete(id);
  }

  private adopt(id: number, mirror: number, maker: Place): void {
    this.mirrored.set(id, mirror);
    const buffer = this.shapes.bufferOf(mirror);
    if (!this.makers.has(buffer)) this.makers.set(buffer, maker);
  }

  private notePeak(): void {
    if (this.shapes.peakBytes <= this.peak.bytes) return;
    const shares: MemoryShare[] = [];
    for (const [buffer, maker] of this.makers) {
      if (buffer.holders > 0) shares.push({ ...maker, bytes: buffer.bytes });
      else this.makers.delete(buffer);
    }
    this.peak = { bytes: this.shapes.peakBytes, shares };
  }

  private mirrorOf(id: number): number {
    const mirror = this.mirrored.get(id);
    invariant(mirror !== undefined, 'a mirrored tensor was made under the mirror');
    return mirror;
  }
}
