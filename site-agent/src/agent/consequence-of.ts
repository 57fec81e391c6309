import type { ErrorCode, FederationError } from '@consilium/shared/kernel';
import type { Step } from './next-step.js';

/** What a failed step leads to. */
export type Consequence =
  /** The same step again after a pause; nothing is noted. */
  | 'try-again'
  /** The trainer starts again from its checkpoint, and the failure counts. */
  | 'train-again'
  /** The file of the version is damaged: fetch it afresh; counts as a trainer failure. */
  | 'fetch-again'
  /** The upload is not whole or not sound at the coordinator: deliver what it lacks; counts. */
  | 'upload-again'
  /** The coordinator no longer wants the update: its work is dropped. */
  | 'abandon'
  /** The coordinator is told the code. */
  | 'report-failure'
  /** The coordinator refused for good and knows why: nothing to report. */
  | 'close'
  /** A score is not worth more attempts. */
  | 'give-up-score';

export interface FailureCounts {
  /** Earlier trainer failures of this participation or score. */
  readonly trainerFailures: number;
  readonly trainerRestarts: number;
  /** Earlier deliveries of this update that arrived damaged or were lost. */
  readonly lostUploads: number;
}

const ROUND_IS_OVER: ReadonlySet<ErrorCode> = new Set([
  'ROUND_CLOSED',
  'ROUND_TRANSITION',
  'CAMPAIGN_TRANSITION',
  'UPDATE_BASE_STALE',
]);
const DAMAGED_VERSION: ReadonlySet<ErrorCode> = new Set(['DIGEST_MISMATCH', 'WEIGHTS_MALFORMED', 'NOT_FOUND']);
const LOST_UPLOAD: ReadonlySet<ErrorCode> = new Set(['DIGEST_MISMATCH', 'UPLOAD_INCOMPLETE', 'NOT_FOUND']);
const QUARANTINED: ReadonlySet<ErrorCode> = new Set([
  'UPDATE_NOT_FINITE',
  'UPDATE_REPORT_INVALID',
  'UPDATE_NOT_CLIPPED',
  'MANIFEST_MISMATCH',
  'WEIGHTS_MALFORMED',
]);
const MAXIMUM_LOST_UPLOADS = 3;

/** A pure table, so that every mixture of step and error has one known answer. */
export function consequenceOf(step: Step['kind'], error: FederationError, counts: FailureCounts): Consequence {
  // The policy was changed a moment ago: what follows from it, the next look tells.
  if (error.code === 'POLICY_REFUSED') return 'try-again';
  switch (step) {
    case 'train':
      return ofTraining(error, counts);
    case 'score':
      return ofTraining(error, counts) === 'report-failure' ? 'give-up-score' : ofTraining(error, counts);
    case 'upload':
    case 'offer':
      return ofDelivery(error, counts);
    case 'download':
      if (ROUND_IS_OVER.has(error.code)) return 'abandon';
      return error.retryable ? 'try-again' : 'report-failure';
    case 'accept':
    case 'decline':
    case 'fail':
      if (ROUND_IS_OVER.has(error.code) || error.code === 'NOT_FOUND') return 'abandon';
      return error.retryable ? 'try-again' : 'close';
    case 'report-score':
      return error.retryable ? 'try-again' : 'give-up-score';
    case 'idle':
    case 'wait':
    case 'rest':
    case 'abandon':
    case 'note-invitation':
      return 'try-again';
  }
}

function ofTraining(error: FederationError, { trainerFailures, trainerRestarts }: FailureCounts): Consequence {
  if (error.code === 'DISK_FULL') return 'try-again';
  const again = trainerFailures < trainerRestarts;
  if (again && DAMAGED_VERSION.has(error.code)) return 'fetch-again';
  if (again && (error.retryable || error.code === 'TRAINER_DIED' || error.code === 'OUT_OF_MEMORY')) return 'train-again';
  return 'report-failure';
}

function ofDelivery(error: FederationError, { lostUploads }: FailureCounts): Consequence {
  if (ROUND_IS_OVER.has(error.code)) return 'abandon';
  if (LOST_UPLOAD.has(error.code)) return lostUploads < MAXIMUM_LOST_UPLOADS ? 'upload-again' : 'report-failure';
  if (QUARANTINED.has(error.code)) return 'close';
  if (error.code === 'STORAGE_FAILED' && !error.retryable) return 'train-again';
  return error.retryable ? 'try-again' : 'report-failure';
}
