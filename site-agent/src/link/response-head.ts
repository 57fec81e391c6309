import type { IncomingHttpHeaders } from 'node:http';

/** Far more than an honest answer's head has. */
const MOST_HEAD_BYTES = 16 * 1024;

export interface ResponseHead {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** The length of the body that follows. */
  readonly bodyBytes: number;
}

/** A head of any other form than the plain one. */
export const OTHER_FORM = 'other form';

/**
 * Gathers the head of an HTTP/1.1 answer in its plain form (RFC 9112, sections 2 to 6): a final status with a body whose length is
 * announced once. Chunked answers, interim ones and everything else are left to a whole HTTP implementation.
 */
export class HeadReader {
  private gathered = Buffer.alloc(0);

  /**
   * Undefined until the head is complete; then the head and how many of these bytes belonged to it. Bytes are copied: they may be
   * overwritten afterwards.
   */
  take(bytes: Buffer): { readonly head: ResponseHead | typeof OTHER_FORM; readonly headBytes: number } | undefined {
    const before = this.gathered.length;
    this.gathered = Buffer.concat([this.gathered, bytes.subarray(0, MOST_HEAD_BYTES)]);
    const end = this.gathered.indexOf('\r\n\r\n');
    if (end >= 0) return { head: parseHead(this.gathered.toString('latin1', 0, end)), headBytes: end + 4 - before };
    return this.gathered.length < MOST_HEAD_BYTES ? undefined : { head: OTHER_FORM, headBytes: bytes.length };
  }
}

function parseHead(text: string): ResponseHead | typeof OTHER_FORM {
  const [statusLine = '', ...lines] = text.split('\r\n');
  const status = Number(/^HTTP\/1\.1 (?!204|304)([2-5]\d\d)( |$)/.exec(statusLine)?.[1]);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    // A name twice, or a folded line: what it means is not for a small parser to say.
    if (name === '' || headers[name.toLowerCase()] !== undefined) return OTHER_FORM;
    headers[name.toLowerCase()] = value;
  }
  const length = headers['content-length'] ?? '';
  if (Number.isNaN(status) || headers['transfer-encoding'] !== undefined || !/^\d{1,15}$/.test(length)) return OTHER_FORM;
  return { status, headers, bodyBytes: Number(length) };
}
