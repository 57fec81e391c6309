import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { FederationError } from '@consilium/shared/kernel';
import { type AttemptPlan, fewAttempts, POLITE_ATTEMPTS } from './few-attempts.js';
import { connectFault, redirectRefused, statusFault } from './archive-faults.js';

export interface ArchiveLinkOptions {
  /** Root of the DICOMweb service, such as https://pacs.example/dicom-web. */
  readonly url: string;
  /** The whole header: "Basic …" or "Bearer …". It is a secret: never shown, and sent to this very origin only. */
  readonly authorization?: string | undefined;
  /** A connection on which nothing moves for this long is cut. */
  readonly stallMs?: number;
  readonly attempts?: AttemptPlan;
}

/** Long enough for an archive that fetches from tape. */
const STALL_MS = 180_000;
const MOST_JSON_BYTES = 64 * 2 ** 20;
const MOST_REDIRECTS = 5;
const JSON_ACCEPT = 'application/dicom+json, application/json;q=0.9';

export interface ArchiveAnswer {
  readonly contentType: string;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Asks an archive (PACS) by DICOMweb, PS3.18: searches (QIDO-RS) and retrievals (WADO-RS). Never changes anything there. */
export class ArchiveLink {
  /** Requests made so far, for reports. */
  requests = 0;
  private readonly base: string;
  readonly attempts: AttemptPlan;

  constructor(private readonly options: ArchiveLinkOptions) {
    this.base = options.url.replace(/[/?#]+$/, '');
    this.attempts = options.attempts ?? POLITE_ATTEMPTS;
  }

  /**
   * The JSON behind a path below the service, undefined when the answer is empty. Tried again a few times. ARCHIVE_UNREACHABLE,
   * ARCHIVE_REFUSED, NOT_FOUND, TRANSFER_BROKEN, ARCHIVE_ANSWER_INVALID.
   */
  async getJson(path: string, query: readonly (readonly [string, string])[] = []): Promise<unknown> {
    return fewAttempts(async () => {
      const response = await this.open(this.addressOf(path, query), JSON_ACCEPT);
      if (response.statusCode === 204) return void response.resume();
      return parseJson(await readText(response));
    }, this.attempts);
  }

  /** Hands an answer to `use` while it arrives; tried once. The connection is closed when `use` ends, read to the end or not. */
  async stream<T>(path: string, accept: string, use: (answer: ArchiveAnswer) => Promise<T>): Promise<T> {
    const response = await this.open(this.addressOf(path, []), accept);
    try {
      return await use({ contentType: response.headers['content-type'] ?? '', body: piecesOf(response) });
    } finally {
      response.destroy();
    }
  }

  private addressOf(path: string, query: readonly (readonly [string, string])[]): URL {
    const address = new URL(`${this.base}/${path}`);
    for (const [name, value] of query) address.searchParams.append(name, value);
    return address;
  }

  private async open(address: URL, accept: string, redirects = 0): Promise<IncomingMessage> {
    const response = await this.ask(address, accept);
    const status = response.statusCode ?? 0;
    if (status === 200 || status === 204) return response;
    response.on('error', () => undefined).destroy();
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
      throw statusFault(status, response.headers['retry-after'], this.options.authorization !== undefined);
    }
    return this.open(this.redirected(address, location, redirects), accept, redirects + 1);
  }

  /** Credentials, and what is asked for, go to no other place than the one that was named. */
  private redirected(from: URL, location: string, redirects: number): URL {
    const to = URL.canParse(location, from.href) ? new URL(location, from) : undefined;
    if (to === undefined || redirects >= MOST_REDIRECTS) throw redirectRefused('its redirects lead nowhere');
    if (to.origin === from.origin) return to;
    if (this.options.authorization !== undefined)
      throw redirectRefused('it redirects to another host, which gets no credentials');
    const upgrades = to.protocol === 'https:' && to.hostname === from.hostname;
    if (!upgrades) throw redirectRefused('it redirects to another host');
    return to;
  }

  private ask(address: URL, accept: string): Promise<IncomingMessage> {
    const { authorization, stallMs = STALL_MS } = this.options;
    this.requests++;
    return new Promise((resolve, reject) => {
      const open = address.protocol === 'https:' ? secureRequest : plainRequest;
      const headers = { accept, ...(authorization === undefined ? {} : { authorization }) };
      const request = open(address.href, { headers });
      request.setTimeout(stallMs, () => request.destroy(stalled(stallMs, request.socket?.connecting !== false)));
      request.on('error', (error) => reject(connectFault(error)));
      request.on('response', resolve);
      request.end();
    });
  }
}

function stalled(stallMs: number, isConnecting: boolean): Error {
  const error = new Error(`nothing moved for ${Math.round(stallMs / 1000)} s`);
  return Object.assign(error, { code: isConnecting ? 'ETIMEDOUT' : 'ESTALLED' });
}

/** Errors of the connection as what they mean: the transfer broke. */
async function* piecesOf(response: IncomingMessage): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } catch (cause) {
    throw new FederationError('TRANSFER_BROKEN', 'the archive’s answer was cut short', { cause });
  }
}

async function readText(response: IncomingMessage): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of piecesOf(response)) {
    bytes += piece.length;
    if (bytes > MOST_JSON_BYTES)
      throw new FederationError('ARCHIVE_ANSWER_INVALID', 'the archive’s answer is longer than 64 MiB');
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString('utf8');
}

function parseJson(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new FederationError('ARCHIVE_ANSWER_INVALID', 'the archive’s answer is no JSON', {
      cause,
      remedy: 'Check that the address is that of its DICOMweb service, often …/dicom-web or …/rs.',
    });
  }
}
