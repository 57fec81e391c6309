import type { Digest } from '@consilium/shared/kernel';

/** A file that was asked for within this time may be open: a fold or a download reads it piece by piece. */
const IN_USE_MS = 60 * 60_000;

interface Use {
  readonly bytes: number;
  readonly atMs: number;
}

/** Which files on the disk were used last, and which may go when they take too much. */
export class BlobUses {
  /** In the order of their last use. */
  private readonly uses = new Map<Digest, Use>();
  private bytes = 0;

  constructor(
    private readonly mostBytes: number,
    private readonly remove: (digest: Digest) => Promise<void>,
    private readonly nowMs: () => number = () => Date.now(),
  ) {}

  /** Called in the order of use. */
  note(digest: Digest, bytes: number, atMs: number): void {
    this.forget(digest);
    this.uses.set(digest, { bytes, atMs });
    this.bytes += bytes;
  }

  touch(digest: Digest): void {
    const use = this.uses.get(digest);
    if (use !== undefined) this.note(digest, use.bytes, this.nowMs());
  }

  forget(digest: Digest): void {
    this.bytes -= this.uses.get(digest)?.bytes ?? 0;
    this.uses.delete(digest);
  }

  /** Removes files that were not used for an hour, the longest unused first, until the rest fits. */
  async thin(): Promise<void> {
    for (const [digest, { atMs }] of this.uses) {
      if (this.bytes <= this.mostBytes || this.nowMs() - atMs < IN_USE_MS) return;
      this.forget(digest);
      await this.remove(digest);
    }
  }
}
