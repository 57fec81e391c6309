import { createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  algorithmOf,
  type Digest,
  errnoOf,
  FederationError,
  isErrorCode,
  openDigest,
  type RunningDigest,
} from '@consilium/shared/kernel';
import type { Response } from 'undici';
import { z } from 'zod';
import type { OperatorAccess } from '../config/operator-access.js';
import { trustingFetch, type TrustingFetch } from './trusting-fetch.js';

const refusalSchema = z.object({
  code: z.string(),
  message: z.string(),
  remedy: z.string().optional(),
  retryable: z.boolean().optional(),
  details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).optional(),
});

/** Of OpenSSL and Node, for a certificate that is not trusted. */
const NOT_TRUSTED = /CERT|UNABLE_TO_VERIFY/;

/** The operator's commands speak REST to the running coordinator. */
export class OperatorLink {
  private readonly fetch: TrustingFetch;

  constructor(private readonly access: OperatorAccess) {
    this.fetch = trustingFetch(access.authorities);
  }

  /** For what does not go through here; undefined where Node's own list is enough. */
  get authorities(): string[] | undefined {
    return this.access.authorities && [...this.access.authorities];
  }

  get url(): string {
    return this.access.url;
  }

  get token(): string {
    return this.access.token;
  }

  async get<T>(path: string, schema: z.ZodType<T>): Promise<T> {
    return schema.parse(await (await this.request('GET', path)).json());
  }

  async post<T>(path: string, schema: z.ZodType<T>, body: unknown = {}): Promise<T> {
    return schema.parse(await (await this.request('POST', path, body)).json());
  }

  /** What the coordinator answers, as it comes. */
  async stream(path: string): Promise<Readable> {
    const { body } = await this.request('GET', path);
    if (body === null) throw new FederationError('TRANSFER_BROKEN', 'the coordinator sent no content');
    return Readable.fromWeb(body);
  }

  /** Downloads to a file that appears only when it is whole and has the digest. */
  async download(path: string, digest: Digest, output: string): Promise<void> {
    const source = await this.stream(path);
    const temporary = `${output}.${process.pid}.partial`;
    const running = openDigest(algorithmOf(digest));
    try {
      await pipeline(source, tee(running), createWriteStream(temporary));
      if (running.finish() !== digest) throw new FederationError('DIGEST_MISMATCH', 'the download is damaged; try again');
      await rename(temporary, output);
    } catch (cause) {
      throw asDownloadError(cause, output);
    } finally {
      await rm(temporary, { force: true });
    }
  }

  private async request(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = this.access.token === '' ? {} : { authorization: `Bearer ${this.access.token}` };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const response = await this.fetch(`${this.access.url}${path}`, {
      method,
      headers,
      body: body === undefined ? null : JSON.stringify(body),
    }).catch((cause: unknown) => {
      throw unreachable(this.access.url, cause);
    });
    if (response.ok) return response;
    throw await refusalOf(response);
  }
}

/** One COORDINATOR_UNREACHABLE for every way in which an address does not answer. */
export function unreachable(url: string, cause?: unknown): FederationError {
  const reason = errnoOf(cause) ?? errnoOf((cause as { cause?: unknown } | undefined)?.cause) ?? '';
  if (NOT_TRUSTED.test(reason)) {
    return new FederationError('COORDINATOR_UNREACHABLE', `no trusted coordinator answers at ${url} (${reason})`, {
      cause,
      remedy:
        'Name the PEM file of its authority: "authority: /path/to/authority.pem" in coordinator.yaml, --authority of "coordinator sign-in" on another machine, or CONSILIUM_COORDINATOR_AUTHORITY.',
    });
  }
  return new FederationError('COORDINATOR_UNREACHABLE', `no coordinator answers at ${url}`, {
    cause,
    remedy:
      'Check that it runs ("coordinator start"), that --url or --home names the right one, and publicUrl and the proxy in front.',
  });
}

function tee(running: RunningDigest) {
  return async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      running.update(chunk);
      yield chunk;
    }
  };
}

async function refusalOf(response: Response): Promise<FederationError> {
  const parsed = refusalSchema.safeParse(await response.json().catch(() => undefined));
  if (!parsed.success) return new FederationError('MESSAGE_REFUSED', `the coordinator answered with status ${response.status}`);
  const { code, message, remedy, retryable, details } = parsed.data;
  return new FederationError(isErrorCode(code) ? code : 'MESSAGE_REFUSED', message, { remedy, retryable, details });
}

function asDownloadError(cause: unknown, output: string): FederationError {
  if (errnoOf(cause) === 'ENOENT') {
    return new FederationError('FOLDER_MISSING', `the folder of ${output} does not exist`, { cause, remedy: 'Create it first.' });
  }
  return FederationError.from(cause, 'TRANSFER_BROKEN');
}
