import { basename, dirname } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import type { Response } from 'express';

/** Sends a blob with ranges; its digest is its entity tag, so a resumed download can never mix two versions. */
export function sendBlob(response: Response, path: string, digest: Digest): Promise<void> {
  response.setHeader('ETag', `"${digest}"`);
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader('Cache-Control', 'private, immutable, max-age=31536000, no-transform');
  return new Promise((resolve, reject) => {
    response.sendFile(
      basename(path),
      { root: dirname(path), dotfiles: 'allow', cacheControl: false, lastModified: false },
      (error) => {
        // A cut connection is the receiver's business: it comes back with a range.
        if (error !== undefined && !response.headersSent) reject(error);
        else resolve();
      },
    );
  });
}
