import { FederationError } from '@consilium/shared/kernel';
import { outOfMemory, speaksOfMemory } from './trainer-exit.js';
import type { TrainerMessage } from './trainer-messages.js';

export type FailureMessage = Extract<TrainerMessage, { kind: 'failed' }>;

/** What was thrown in a trainer as an error of ours; memory that ran out is told apart from other failures. */
export function asTrainingError(thrown: unknown): FederationError {
  const error = FederationError.from(thrown, 'INVARIANT');
  const outOfPlace = error.code === 'OPERATION_FAILED' || error.code === 'INVARIANT';
  return outOfPlace && speaksOfMemory(error.message) ? outOfMemory({}, error.message) : error;
}

/** Local, so the whole message goes: what crosses the wire is the agent's to decide. */
export function failureMessage({ code, message, retryable, details, remedy }: FederationError): FailureMessage {
  return { kind: 'failed', error: { code, message, retryable, details }, ...(remedy === undefined ? {} : { remedy }) };
}

/** The error that {@link failureMessage} describes; `who` is put before its message where several may have failed. */
export function rebuildFailure({ error, remedy }: FailureMessage, who = ''): FederationError {
  const { code, details, retryable } = error;
  return new FederationError(code, `${who}${error.message}`, { details, retryable, remedy });
}
