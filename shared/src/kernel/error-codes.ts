/**
 * Every error the system can report, by its stable code.
 *
 * The kind decides who acts and which HTTP status and exit code a front end uses (ARCHITECTURE.md, "Errors");
 * each code has a page in docs/errors.
 */
export type ErrorKind =
  'input' | 'access' | 'protocol' | 'state' | 'integrity' | 'transfer' | 'storage' | 'volume' | 'training' | 'invariant';

/** How each kind is reported at the three front ends: HTTP status, process exit code, and whether trying again can help. */
export const KIND_RULES: Readonly<Record<ErrorKind, { httpStatus: number; exitCode: number; retryable: boolean }>> = {
  input: { httpStatus: 400, exitCode: 2, retryable: false },
  access: { httpStatus: 403, exitCode: 3, retryable: false },
  protocol: { httpStatus: 426, exitCode: 4, retryable: false },
  state: { httpStatus: 409, exitCode: 2, retryable: false },
  integrity: { httpStatus: 422, exitCode: 5, retryable: false },
  transfer: { httpStatus: 503, exitCode: 5, retryable: true },
  storage: { httpStatus: 503, exitCode: 5, retryable: true },
  volume: { httpStatus: 422, exitCode: 2, retryable: false },
  training: { httpStatus: 500, exitCode: 6, retryable: false },
  invariant: { httpStatus: 500, exitCode: 70, retryable: false },
};

/** The table of codes. Adding one means adding docs/errors/CODE.md; test/architecture holds the two together. */
export const ERROR_CODES = {
  // Input: a human edits something.
  ARGUMENT_INVALID: 'input',
  CONFIG_INVALID: 'input',
  CAMPAIGN_INVALID: 'input',
  RECIPE_INVALID: 'input',
  TASK_INVALID: 'input',
  FOLDER_MISSING: 'input',
  PORT_BUSY: 'input',
  NOT_FOUND: 'input',
  NAME_TAKEN: 'input',
  // Access: an operator enrols or re-enrols.
  SITE_UNKNOWN: 'access',
  CREDENTIAL_REFUSED: 'access',
  CREDENTIAL_EXPIRED: 'access',
  PROOF_REFUSED: 'access',
  PROOF_STALE: 'access',
  TOKEN_REFUSED: 'access',
  OPERATOR_REFUSED: 'access',
  ROLE_REFUSED: 'access',
  NOT_JOINED: 'access',
  ARCHIVE_REFUSED: 'access',
  // The site's own rules: its owner decides.
  POLICY_REFUSED: 'access',
  EGRESS_REFUSED: 'access',
  // Protocol: one side must be upgraded.
  PROTOCOL_VERSION: 'protocol',
  MESSAGE_REFUSED: 'protocol',
  ARCHIVE_ANSWER_INVALID: 'protocol',
  // State: the caller's view is out of date; fetch it again.
  SITE_ALREADY_CONNECTED: 'state',
  AGENT_ALREADY_RUNNING: 'state',
  COORDINATOR_ALREADY_RUNNING: 'state',
  ROUND_CLOSED: 'state',
  QUORUM_MISSED: 'state',
  REQUIRED_SITE_MISSING: 'state',
  ROUND_TRANSITION: 'state',
  CAMPAIGN_TRANSITION: 'state',
  UPDATE_BASE_STALE: 'state',
  UPDATE_NOT_RELEASABLE: 'state',
  WEIGHTS_DROPPED: 'state',
  PRIVACY_REQUIRED: 'state',
  PRIVACY_BUDGET_SPENT: 'state',
  // Integrity: the bytes are not what they claim to be.
  DIGEST_MISMATCH: 'integrity',
  WEIGHTS_MALFORMED: 'integrity',
  PICKLE_REFUSED: 'integrity',
  PASSPORT_INVALID: 'integrity',
  MANIFEST_MISMATCH: 'integrity',
  UPDATE_NOT_FINITE: 'integrity',
  UPDATE_REPORT_INVALID: 'integrity',
  UPDATE_NORM_FAR: 'integrity',
  UPDATE_DIRECTION_FAR: 'integrity',
  UPDATE_NOT_CLIPPED: 'integrity',
  CHECKPOINT_UNREADABLE: 'integrity',
  BACKUP_DAMAGED: 'integrity',
  AUDIT_BROKEN: 'integrity',
  // Transfer and storage: back off and resume.
  COORDINATOR_UNREACHABLE: 'transfer',
  COORDINATOR_BUSY: 'transfer',
  TOO_MANY_REQUESTS: 'transfer',
  PROXY_REFUSED: 'transfer',
  ARCHIVE_UNREACHABLE: 'transfer',
  TRANSFER_BROKEN: 'transfer',
  UPLOAD_INCOMPLETE: 'transfer',
  DISK_FULL: 'storage',
  STORAGE_FAILED: 'storage',
  // Volumes: never leave the site except as a count.
  VOLUME_UNREADABLE: 'volume',
  VOLUME_UNSUITABLE: 'volume',
  COLLECTION_EMPTY: 'volume',
  // Training.
  RUNTIME_MISSING: 'training',
  RUNTIME_SETUP_FAILED: 'training',
  DEVICE_UNAVAILABLE: 'training',
  OPERATION_FAILED: 'training',
  TRAINING_DIVERGED: 'training',
  OUT_OF_MEMORY: 'training',
  TRAINER_DIED: 'training',
  TRAINER_STOPPED: 'training',
  // A bug of ours.
  INVARIANT: 'invariant',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERROR_CODES;

/** True when the text is one of our codes, for reading errors that arrived over the wire. */
export function isErrorCode(text: unknown): text is ErrorCode {
  return typeof text === 'string' && Object.hasOwn(ERROR_CODES, text);
}
