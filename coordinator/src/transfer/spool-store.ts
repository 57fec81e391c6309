import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { FileStore } from '@tus/file-store';

/** The tus file store, with errors that keep their cause: a full disk must be told from a cut connection. */
export class SpoolStore extends FileStore {
  override async write(source: Readable, uploadId: string, offset: number): Promise<number> {
    const file = createWriteStream(this.pathOf(uploadId), { flags: 'r+', start: offset });
    try {
      await pipeline(source, file);
    } catch (cause) {
      throw FederationError.from(cause, 'TRANSFER_BROKEN');
    }
    return offset + file.bytesWritten;
  }

  /** Where an upload's bytes lie. Upload ids are made by us and hold no separators. */
  pathOf(uploadId: string): string {
    return join(this.directory, uploadId);
  }
}
