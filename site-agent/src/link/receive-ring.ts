/**
 * One block of memory through which a long body passes again and again, so that receiving makes no garbage. Bytes come in at one
 * end in regions; whoever took them gives them back in the same order.
 */
export class ReceiveRing {
  private readonly memory: Buffer;
  private head = 0;
  private used = 0;

  /** A region for one read is never longer than `readBytes`, of which the capacity should be at least four. */
  constructor(
    capacity: number,
    private readonly readBytes: number,
  ) {
    this.memory = Buffer.allocUnsafeSlow(capacity);
  }

  /**
   * False while reading should pause. One whole read is kept in reserve, because the pieces of a TLS connection that had been
   * deciphered by then still come.
   */
  get hasRoom(): boolean {
    return this.memory.length - this.used >= 2 * this.readBytes;
  }

  /** Where the next bytes go; empty only when the reserve is used up too. */
  region(): Buffer {
    const room = Math.min(this.readBytes, this.memory.length - this.used, this.memory.length - this.head);
    return this.memory.subarray(this.head, this.head + room);
  }

  /** The first bytes of the region have been filled. */
  fill(bytes: number): void {
    this.used += bytes;
    this.head = (this.head + bytes) % this.memory.length;
  }

  /** The oldest bytes are not needed any more. */
  release(bytes: number): void {
    this.used -= bytes;
  }
}
