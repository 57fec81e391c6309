import type { IncomingMessage, ServerResponse } from 'node:http';
import { FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS, digestField, parseWith, UPLOAD_METADATA } from '@consilium/shared/wire';
import { z } from 'zod';
import { challengeOf, httpStatusOf } from '../live/http-status.js';
import { OffsetConflict } from './arriving-upload.js';

/*
 * The words of tus 1.0 (tus.io, "Resumable upload protocol 1.0.x") with its extensions creation, expiration and termination.
 */
export const TUS_VERSION = '1.0.0';
export const TUS_EXTENSIONS = 'creation,expiration,termination';
export const CHUNK_TYPE = 'application/offset+octet-stream';

/** How long a sender whose request was refused may take to stop sending. */
const UNWANTED_BODY_MS = 5_000;

/** When to come back after a refusal that passes by itself. */
const RETRY_AFTER_SECONDS = 5;

const metadataSchema = z.strictObject({
  [UPLOAD_METADATA.participationId]: z.string().min(1).max(64),
  [UPLOAD_METADATA.digest]: digestField,
});
export type UploadMetadata = z.infer<typeof metadataSchema>;

/** An answer that HTTP or tus has a status for and our table of codes has not. */
export class TusRefusal extends FederationError {
  constructor(
    readonly status: number,
    message: string,
    details: Record<string, number> = {},
  ) {
    super('MESSAGE_REFUSED', message, { details });
  }
}

/** The path's last part; undefined for the collection itself. */
export function uploadIdOf(path: string): string | undefined {
  const id = (path.split('?', 1)[0] ?? '').replace(DATA_PATHS.uploads, '').replace(/^\/+|\/+$/g, '');
  return id === '' ? undefined : id;
}

/** A header that is a whole number of bytes; undefined when it is missing or is none. */
export function bytesHeader(request: IncomingMessage, name: string): number | undefined {
  const text = request.headers[name];
  const value = typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : undefined;
}

/** "key base64,key base64": exactly the keys of an update, so that nothing rides along. Throws MESSAGE_REFUSED. */
export function readMetadata(request: IncomingMessage): UploadMetadata {
  const header = request.headers['upload-metadata'];
  const pairs = (typeof header === 'string' ? header : '').split(',').flatMap((pair) => {
    const [key, value] = pair.trim().split(' ');
    return key === undefined || key === '' ? [] : [[key, Buffer.from(value ?? '', 'base64').toString('utf8')]];
  });
  return parseWith(metadataSchema, Object.fromEntries(pairs), 'MESSAGE_REFUSED', 'the upload metadata');
}

export function writeMetadata(metadata: UploadMetadata): string {
  return Object.entries(metadata)
    .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
    .join(',');
}

export function answer(response: ServerResponse, status: number, headers: Readonly<Record<string, string | number>> = {}): void {
  if (response.headersSent || response.destroyed) return;
  const length = status === 204 ? {} : { 'Content-Length': 0 };
  response.writeHead(status, { 'Tus-Resumable': TUS_VERSION, 'Cache-Control': 'no-store', ...length, ...headers }).end();
}

/** The report as JSON, with the status that the error's kind or tus has for it. */
export function refuse(request: IncomingMessage, response: ServerResponse, error: FederationError): void {
  if (response.headersSent || response.destroyed) return;
  const body = Buffer.from(request.method === 'HEAD' ? '' : JSON.stringify(error.toReport()));
  const conflict = error instanceof OffsetConflict;
  const status = conflict ? 409 : error instanceof TusRefusal ? error.status : httpStatusOf(error);
  response.writeHead(status, {
    'Tus-Resumable': TUS_VERSION,
    'Cache-Control': 'no-store',
    'Content-Type': 'application/json; charset=utf-8',
    'Content-Length': body.length,
    ...challengeOf(error),
    ...(conflict ? { 'Upload-Offset': error.offset } : {}),
    ...(status === 503 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
    ...(status === 412 ? { 'Tus-Version': TUS_VERSION } : {}),
  });
  response.end(body);
  stopReading(request);
}

/** An answer before the end of the body: the sender sees it and stops; one that does not is cut. */
function stopReading(request: IncomingMessage): void {
  if (request.complete) return;
  request.on('error', () => undefined).resume();
  const timer = setTimeout(() => request.destroy(), UNWANTED_BODY_MS);
  request.on('close', () => clearTimeout(timer));
}
