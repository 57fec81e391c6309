import { stat } from 'node:fs/promises';
import { type Digest, FederationError, sendFileRange } from '@consilium/shared/kernel';
import type { Response } from 'express';
import { requestedBytes } from './byte-range.js';

/** A receiver that takes nothing for this long is cut; it comes back with a range. */
const STALL_MS = 60_000;

/**
 * Sends a blob, or the range of it that was asked for. Its digest is its entity tag, so a resumed download can never mix two
 * versions. Never compressed: weights do not compress, and a compressed answer could not be resumed. A connection that breaks is
 * the receiver's business. Returns the bytes of the file that were sent; 0 when the connection broke.
 */
export async function sendBlob(response: Response, path: string, digest: Digest): Promise<number> {
  const { headers, method } = response.req;
  const { size } = await stat(path);
  const tag = `"${digest}"`;
  const isSame = headers['if-range'] === undefined || headers['if-range'] === tag;
  const asked = requestedBytes(isSame ? headers.range : undefined, size);
  response.set({
    ETag: tag,
    'Content-Type': 'application/octet-stream',
    'Cache-Control': 'private, immutable, max-age=31536000, no-transform',
    'Accept-Ranges': 'bytes',
  });
  if (asked.kind === 'outside') {
    response
      .status(416)
      .set({ 'Content-Range': `bytes */${size}`, 'Content-Length': '0' })
      .end();
    return 0;
  }
  const { from, to } = asked.kind === 'part' ? asked : { from: 0, to: size };
  if (asked.kind === 'part') response.status(206).set('Content-Range', `bytes ${from}-${to - 1}/${size}`);
  response.set('Content-Length', String(to - from));
  if (method === 'HEAD') {
    response.end();
    return 0;
  }
  response.setTimeout(STALL_MS, () => response.destroy());
  try {
    await sendFileRange({ path, from, to }, response);
    response.end();
    return to - from;
  } catch (thrown) {
    const error = FederationError.from(thrown, 'TRANSFER_BROKEN');
    if (!response.headersSent) throw error;
    response.destroy();
    return 0;
  }
}
