/** One array that is used again and again within a thread, by work that never waits in between. Its content is undefined. */
export class ScratchSpace<Space extends Float32Array | Float64Array | Int32Array | Uint8Array | Uint32Array> {
  private space: Space | undefined;

  constructor(private readonly kind: new (length: number) => Space) {}

  /** Exactly `length` elements; valid until the next call. */
  take(length: number): Space {
    if (this.space?.length !== length) this.space = new this.kind(length);
    return this.space;
  }
}
