import { type ErrorCode, FederationError } from '@consilium/shared/kernel';
import { reasonOf } from '../volume-fault.js';

/** An error of a decoding thread as plain data. Unlike a report to another machine, it keeps its reason. */
export interface DecodeFault {
  readonly code: ErrorCode;
  readonly reason: string;
  readonly remedy: string | undefined;
}

export function plainFault(error: FederationError): DecodeFault {
  return { code: error.code, reason: reasonOf(error), remedy: error.remedy };
}

export function errorOf({ code, reason, remedy }: DecodeFault): FederationError {
  return new FederationError(code, reason, { remedy, details: { reason } });
}
