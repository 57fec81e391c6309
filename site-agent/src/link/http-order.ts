import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

import type { OutgoingLine } from './outgoing-line.js';

export interface HttpOrder {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A connection on which nothing moves for this long is cut. */
  readonly stallMs: number;
  readonly signal: AbortSignal;
  readonly line?: OutgoingLine | undefined;
}

/** An answer whose body is still to come. */
export interface StreamedAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readable;
  /**
   * To be told how many of the body's bytes are done with, the oldest first: their memory is used again. At most one MiB comes
   * before it is told.
   */
  readonly release: (bytes: number) => void;
}
