import type { ErrorCode } from '@consilium/shared/kernel';

/** One line of the doctor's table. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly finding: string;
  /** What to do about it; only when it is not ok. */
  readonly remedy?: string | undefined;
  readonly code?: ErrorCode;
}
