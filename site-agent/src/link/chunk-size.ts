const FIRST_BYTES = 8 * 1024 ** 2;
const LEAST_BYTES = 256 * 1024;
const MOST_BYTES = 64 * 1024 ** 2;

const SHORT_MS = 5_000;
const LONG_MS = 20_000;

/**
 * How many bytes one request of an upload carries. Other sites wait for their turn between two requests, and proxies refuse large
 * or long ones; so a request should take some seconds, whatever the link. Beside that, a request costs next to nothing.
 */
export class ChunkSize {
  private size = FIRST_BYTES;
  private most = MOST_BYTES;

  get bytes(): number {
    return this.size;
  }

  /** To be told how long the last request took. */
  adapt(tookMs: number): void {
    if (tookMs < SHORT_MS) this.size = Math.min(this.most, this.size * 2);
    else if (tookMs > LONG_MS) this.size = Math.max(LEAST_BYTES, this.size / 2);
  }

  /** Something on the way found a request too large: stays below it from now on. False when it cannot get smaller. */
  shrink(): boolean {
    if (this.size === LEAST_BYTES) return false;
    this.most = this.size = Math.max(LEAST_BYTES, this.size / 4);
    return true;
  }
}
