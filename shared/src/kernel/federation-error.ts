import { ERROR_CODES, type ErrorCode, type ErrorKind, isErrorCode, KIND_RULES } from './error-codes.js';

/** Numbers and short identifiers only: details may cross the wire, so never a path, a file name or a DICOM field. */
export type ErrorDetails = Readonly<Record<string, string | number | boolean | null>>;

/** What an error looks like in an HTTP body, a socket acknowledgement and a trainer message. */
export interface ErrorReport {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  details: ErrorDetails;
}

export interface ErrorOptions {
  details?: ErrorDetails;
  /** What the reader can do about it, one imperative sentence. */
  remedy?: string;
  /** Overrides the kind's default. */
  retryable?: boolean;
  cause?: unknown;
}

/**
 * The one error class of the project. Services throw it; one filter (HTTP), one wrapper (socket acknowledgement) and one
 * handler (command line) translate it. The message is local; only {@link FederationError.toReport} may cross the wire.
 */
export class FederationError extends Error {
  override readonly name = 'FederationError';
  readonly kind: ErrorKind;
  readonly retryable: boolean;
  readonly details: ErrorDetails;
  readonly remedy: string | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, { cause: options.cause });
    this.kind = ERROR_CODES[code];
    this.retryable = options.retryable ?? KIND_RULES[this.kind].retryable;
    this.details = options.details ?? {};
    this.remedy = options.remedy;
  }

  get httpStatus(): number {
    return KIND_RULES[this.kind].httpStatus;
  }

  get exitCode(): number {
    return KIND_RULES[this.kind].exitCode;
  }

  /** The wire form. Volume errors carry file names in their message, so only their code leaves. */
  toReport(): ErrorReport {
    const message = this.kind === 'volume' ? this.code : this.message;
    return { code: this.code, message, retryable: this.retryable, details: this.kind === 'volume' ? {} : this.details };
  }

  /** Rebuilds an error that the other side reported; an unknown code becomes MESSAGE_REFUSED with the text kept. */
  static fromReport(report: { code: string; message: string; retryable?: boolean; details?: ErrorDetails }): FederationError {
    const code = isErrorCode(report.code) ? report.code : 'MESSAGE_REFUSED';
    return new FederationError(code, report.message, { details: report.details, retryable: report.retryable });
  }

  /** Wraps whatever was thrown, keeping a FederationError as it is; a full disk is recognised by its errno. */
  static from(thrown: unknown, fallback: ErrorCode = 'INVARIANT'): FederationError {
    if (thrown instanceof FederationError) return thrown;
    // By shape, not by class: an error may come from another realm (a worker, a test's sandbox).
    const shape = typeof thrown === 'object' && thrown !== null ? thrown : {};
    const message = 'message' in shape ? String(shape.message) : String(thrown);
    const errno = 'code' in shape ? shape.code : undefined;
    // 53100: PostgreSQL's disk_full.
    if (errno === 'ENOSPC' || errno === 'EDQUOT' || errno === 'SQLITE_FULL' || errno === '53100') {
      return new FederationError('DISK_FULL', 'the disk is full', {
        cause: thrown,
        remedy: 'Free some space; work resumes by itself.',
      });
    }
    return new FederationError(fallback, message, { cause: thrown });
  }
}

/** The code of a system or database error ("ENOENT", "SQLITE_FULL"), undefined for anything else. */
export function errnoOf(thrown: unknown): string | undefined {
  // Not instanceof: errors of the system may come from another realm, as they do under a test runner.
  if (typeof thrown !== 'object' || thrown === null || !('code' in thrown)) return undefined;
  return typeof thrown.code === 'string' ? thrown.code : undefined;
}

/** Two lines for a terminal: what happened with its code, and what to do about it. */
export function describeError(error: FederationError): string {
  const head = `${error.code}: ${error.message}`;
  return error.remedy === undefined ? head : `${head}\n  ${error.remedy}`;
}
