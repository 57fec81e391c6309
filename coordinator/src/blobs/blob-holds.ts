import type { Digest } from '@consilium/shared/kernel';
import { Injectable } from '@nestjs/common';

/**
 * Keeps files from being removed while a row that needs them is on its way into the records. Bytes are written before their row, and
 * the same bytes may be those of an earlier row that needs them no more: without this, they could go between the two.
 */
@Injectable()
export class BlobHolds {
  private readonly held = new Map<Digest, number>();
  /** Works that may write any file. */
  private heldAll = 0;
  private readonly removing = new Map<Digest, Promise<void>>();

  /** Runs the work while the files (all of them where the digest is not known before) stay. Waits for a removal under way. */
  async during<T>(digests: readonly Digest[] | 'all', work: () => Promise<T>): Promise<T> {
    this.count(digests, 1);
    try {
      const concerned = digests === 'all' ? [...this.removing.keys()] : digests;
      for (const digest of concerned) await this.removing.get(digest);
      return await work();
    } finally {
      this.count(digests, -1);
    }
  }

  /** Removes a file by `remove`, or returns false when it is held. What `remove` looks at before it acts cannot change meanwhile. */
  async removeUnlessHeld(digest: Digest, remove: () => Promise<void>): Promise<boolean> {
    if (this.heldAll > 0 || this.held.has(digest) || this.removing.has(digest)) return false;
    const removal = remove();
    this.removing.set(
      digest,
      removal.catch(() => undefined),
    );
    try {
      await removal;
      return true;
    } finally {
      this.removing.delete(digest);
    }
  }

  private count(digests: readonly Digest[] | 'all', by: 1 | -1): void {
    if (digests === 'all') this.heldAll += by;
    else
      for (const digest of digests) {
        const holders = (this.held.get(digest) ?? 0) + by;
        if (holders === 0) this.held.delete(digest);
        else this.held.set(digest, holders);
      }
  }
}
