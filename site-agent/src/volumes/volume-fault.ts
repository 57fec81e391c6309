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
  const error = asFederationError(thrown);
  if (error.kind !== 'volume') return error;
  return new FederationError(error.code, `${basename(path)}: ${reasonOf(error)}`, {
    details: { reason: reasonOf(error) },
    remedy: error.remedy,
    cause: error,
  });
}

function asFederationError(thrown: unknown): FederationError {
  if (thrown instanceof FederationError) return thrown;
  if (OWN_SHORTAGES.has(codeOf(thrown))) return FederationError.from(thrown, 'STORAGE_FAILED');
  return unreadable(systemReason(thrown), thrown);
}

/** The one-line reason of a volume error, without the file's name. */
export function reasonOf(error: FederationError): string {
  const reason = error.details['reason'];
  return typeof reason === 'string' ? reason : error.message;
}

/** Not the file's fault: too many open files, no memory. */
const OWN_SHORTAGES: ReadonlySet<string> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'the file does not exist',
  EACCES: 'no permission to read the file',
  EISDIR: 'this is a folder, not a file',
  ENOTDIR: 'the file does not exist',
  ELOOP: 'its symbolic links lead in a circle',
  EIO: 'the disk or network drive reports a read error',
  ESTALE: 'the network drive has lost the file',
  ENXIO: 'not a regular file',
  Z_BUF_ERROR: 'the compressed data is cut short',
  Z_DATA_ERROR: 'the compressed data is damaged',
  ERR_OUT_OF_RANGE: 'the header names positions outside the file',
};

function systemReason(thrown: unknown): string {
  const code = codeOf(thrown);
  const [firstLine = ''] = String(thrown).split('\n');
  return SYSTEM_REASONS[code] ?? `it cannot be read (${code === '' ? firstLine : code})`;
}

function codeOf(thrown: unknown): string {
  return typeof thrown === 'object' && thrown !== null && 'code' in thrown ? String(thrown.code) : '';
}
