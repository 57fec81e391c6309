import { algorithmOf, type Digest, digestOfFile } from '@consilium/shared/kernel';
import type { Manifest } from '@consilium/shared/weights';
import { Injectable } from '@nestjs/common';
import { verifyUpdate } from './verify-update.js';

/** Reads uploaded files; a part of its own, so that the rules of intake also run where there are none. */
@Injectable()
export class UpdateFiles {
  /** True when the file has this digest. */
  async isNamedBy(path: string, digest: Digest): Promise<boolean> {
    return (await digestOfFile(path, algorithmOf(digest))) === digest;
  }

  /** Throws what {@link verifyUpdate} throws. */
  verify(path: string, manifest: Manifest): Promise<void> {
    return verifyUpdate(path, manifest);
  }
}
