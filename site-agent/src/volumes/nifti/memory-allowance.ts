import { unsuitable } from '../volume-fault.js';

/** What reading one file may take; every array that a header can make large comes from here. */
export class MemoryAllowance {
  private taken = 0;

  constructor(private readonly ceilingBytes: number) {}

  get takenBytes(): number {
    return this.taken;
  }

  /** Zeroed memory. Throws VOLUME_UNSUITABLE above the ceiling, or when the computer has not so much. */
  take(bytes: number): ArrayBuffer {
    if (!(this.taken + bytes <= this.ceilingBytes)) throw unsuitable(`it needs ${inMebibytes(bytes)}, more than is allowed`);
    this.taken += bytes;
    try {
      return new ArrayBuffer(bytes);
    } catch {
      throw unsuitable(`it needs ${inMebibytes(bytes)} of memory, which are not there`);
    }
  }
}

function inMebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}
