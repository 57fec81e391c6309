import { ERROR_CODES, type ErrorCode } from '@consilium/shared/kernel';

/** Codes of updates that are sound by themselves but far from the others of their round. */
export type ScreeningCode = 'UPDATE_NORM_FAR' | 'UPDATE_DIRECTION_FAR';

const SCREENING_CODES: ReadonlySet<ErrorCode> = new Set<ScreeningCode>(['UPDATE_NORM_FAR', 'UPDATE_DIRECTION_FAR']);

export function isScreeningCode(code: ErrorCode): boolean {
  return SCREENING_CODES.has(code);
}

/** True for faults of the update itself: it is held back. Anything else that fails on arrival may be tried again. */
export function isArrivalFault(code: ErrorCode): boolean {
  return code === 'UPDATE_BASE_STALE' || ERROR_CODES[code] === 'integrity';
}
