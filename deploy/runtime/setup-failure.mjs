/** A set-up step that cannot go on: what happened and what the reader can do, in plain words. */
export class SetupFailure extends Error {
  /**
   * @param {string} message what went wrong, one sentence
   * @param {string} remedy what to do, one or two sentences
   * @param {unknown} [cause]
   */
  constructor(message, remedy, cause) {
    super(message, { cause });
    this.name = 'SetupFailure';
    this.code = 'RUNTIME_SETUP_FAILED';
    this.remedy = remedy;
  }
}

/** Exit code of the "training" kind of errors, to which a missing runtime belongs. */
export const SETUP_FAILED_EXIT_CODE = 6;

/** Turns anything thrown into a SetupFailure; a full disk and a read-only folder are told by their errno. */
export function toSetupFailure(thrown) {
  if (thrown instanceof SetupFailure) return thrown;
  const errno = thrown?.code;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') return diskFull(thrown);
  if (errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return new SetupFailure(
      `the folder ${thrown.path ?? ''} may not be written`,
      'Choose another with CONSILIUM_RUNTIME_DIR=/some/folder, or change its rights.',
      thrown,
    );
  }
  return new SetupFailure(thrown?.message ?? String(thrown), 'Try again; with --force everything is laid anew.', thrown);
}

export function diskFull(cause) {
  return new SetupFailure(
    'the disk is full',
    'Free some space, or choose another disk with CONSILIUM_RUNTIME_DIR=/some/folder, then run set-up again: finished steps are kept.',
    cause,
  );
}

/** The two lines a terminal shows. */
export function describeFailure(failure) {
  return `${failure.code}: ${failure.message}\n  ${failure.remedy}`;
}
