import { type ErrorCode, FederationError } from '@consilium/shared/kernel';
import { type Consequence, consequenceOf } from './consequence-of.js';
import type { Step } from './next-step.js';

const fresh = { trainerFailures: 0, trainerRestarts: 3, lostUploads: 0 };
const spent = { trainerFailures: 3, trainerRestarts: 3, lostUploads: 3 };

describe('consequence of a failed step', () => {
  it.each<[Step['kind'], ErrorCode, Consequence, Consequence]>([
    ['train', 'TRAINER_DIED', 'train-again', 'report-failure'],
    ['train', 'OUT_OF_MEMORY', 'train-again', 'report-failure'],
    ['train', 'TRAINING_DIVERGED', 'report-failure', 'report-failure'],
    ['train', 'RUNTIME_MISSING', 'report-failure', 'report-failure'],
    ['train', 'COLLECTION_EMPTY', 'report-failure', 'report-failure'],
    ['train', 'DISK_FULL', 'try-again', 'try-again'],
    ['train', 'DIGEST_MISMATCH', 'fetch-again', 'report-failure'],
    ['score', 'TRAINER_DIED', 'train-again', 'give-up-score'],
    ['score', 'RUNTIME_MISSING', 'give-up-score', 'give-up-score'],
    ['download', 'TRANSFER_BROKEN', 'try-again', 'try-again'],
    ['download', 'NOT_FOUND', 'report-failure', 'report-failure'],
    ['upload', 'ROUND_CLOSED', 'abandon', 'abandon'],
    ['upload', 'DIGEST_MISMATCH', 'upload-again', 'report-failure'],
    ['upload', 'TRANSFER_BROKEN', 'try-again', 'try-again'],
    ['offer', 'UPLOAD_INCOMPLETE', 'upload-again', 'report-failure'],
    ['offer', 'UPDATE_NOT_FINITE', 'close', 'close'],
    ['offer', 'UPDATE_REPORT_INVALID', 'close', 'close'],
    ['offer', 'MANIFEST_MISMATCH', 'close', 'close'],
    ['offer', 'WEIGHTS_MALFORMED', 'close', 'close'],
    ['offer', 'DIGEST_MISMATCH', 'upload-again', 'report-failure'],
    ['offer', 'UPDATE_BASE_STALE', 'abandon', 'abandon'],
    ['offer', 'COORDINATOR_UNREACHABLE', 'try-again', 'try-again'],
    ['accept', 'COORDINATOR_UNREACHABLE', 'try-again', 'try-again'],
    ['accept', 'ROUND_CLOSED', 'abandon', 'abandon'],
    ['accept', 'INVARIANT', 'close', 'close'],
    ['report-score', 'NOT_FOUND', 'give-up-score', 'give-up-score'],
  ])('%s with %s: %s, in the end %s', (step, code, atFirst, inTheEnd) => {
    const error = new FederationError(code, 'words');
    expect(consequenceOf(step, error, fresh)).toBe(atFirst);
    expect(consequenceOf(step, error, spent)).toBe(inTheEnd);
  });

  it('trains again when the update file is gone', () => {
    const gone = new FederationError('STORAGE_FAILED', 'gone', { retryable: false });
    expect(consequenceOf('upload', gone, fresh)).toBe('train-again');
  });
});
