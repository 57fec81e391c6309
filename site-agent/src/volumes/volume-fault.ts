import { basename } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';

/** The file is damaged, hostile or not NIfTI at all. The reason is one line without the file's name. */
export function unreadable(reason: string, cause?: unknown): FederationError {
  return new FederationError('VOLUME_UNREADABLE', reason, { cause, details: { reason } });
}

/** The file is sound but not what this program can use. The reason is one line without the file's name. */
export function unsuitable(reason: string, remedy?: string): FederationError {
  return new FederationError('VOLUME_UNSUITABLE', reason, { remedy, details: { reason } });
}

/** Whatever went wrong with a file, as a volume error whose message names it; storage errors stay what they are. */
export function faultOf(thrown: unknown, path: string): FederationError {
  const error = thrown instanceof FederationError ? thrown : unreadable(systemReason(thrown), thrown);
  if (error.kind !== 'volume') return error;
  return new FederationError(error.code, `${basename(path)}: ${reasonOf(error)}`, {
    details: { reason: reasonOf(error) },
    remedy: error.remedy,
    cause: error,
  });
}

/** The one-line reason of a volume error, without the file's name. */
export function reasonOf(error: FederationError): string {
  const reason = error.details['reason'];
  return typeof reason === 'string' ? reason : error.message;
}

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'the file does not exist',
  EACCES: 'no permission to read the file',
  EISDIR: 'this is a folder, not a file',
  Z_BUF_ERROR: 'the compressed data is cut short',
  Z_DATA_ERROR: 'the compressed data is damaged',
  ERR_OUT_OF_RANGE: 'the header names positions outside the file',
};

function systemReason(thrown: unknown): string {
  const code = typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : '';
  return SYSTEM_REASONS[code] ?? `it cannot be read (${code === '' ? String(thrown) : code})`;
}
