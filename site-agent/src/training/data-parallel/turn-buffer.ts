/** Memory for the gradients of one turn after the other, as long as the longest of them. */
export class TurnBuffer {
  private values = new Float32Array(0);

  /** A place for so many values; what it held before is lost. */
  take(length: number): Float32Array {
    if (this.values.length < length) this.values = new Float32Array(length);
    return this.values.subarray(0, length);
  }
}
