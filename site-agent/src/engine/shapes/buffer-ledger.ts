import { invariant } from '@consilium/shared/kernel';

/** Memory that one or several tensors and variables share; it is counted once, until the last holder lets go. */
export interface SharedBuffer {
  readonly bytes: number;
  /** Tensors and variables that hold it; the ledger alone changes it. */
  holders: number;
}

/** Counts the bytes of buffers as memory does: a buffer that several tensors share weighs once. */
export class BufferLedger {
  private live = 0;
  private peak = 0;

  get liveBytes(): number {
    return this.live;
  }

  /** The most bytes alive at any moment since the start or the last {@link resetPeak}. */
  get peakBytes(): number {
    return this.peak;
  }

  resetPeak(): void {
    this.peak = this.live;
  }

  /** A new buffer without holders: {@link hold} it, or it counts for nothing. */
  create(bytes: number): SharedBuffer {
    return { bytes, holders: 0 };
  }

  /** Adds a holder; returns the same buffer. */
  hold(buffer: SharedBuffer): SharedBuffer {
    if (buffer.holders === 0) this.live += buffer.bytes;
    buffer.holders += 1;
    this.peak = Math.max(this.peak, this.live);
    return buffer;
  }

  release(buffer: SharedBuffer): void {
    invariant(buffer.holders > 0, 'a buffer is released once by each holder');
    buffer.holders -= 1;
    if (buffer.holders === 0) this.live -= buffer.bytes;
  }
}
