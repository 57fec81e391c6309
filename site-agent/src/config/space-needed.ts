import { dirname } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';

/** For a file that a command was asked for: on a full disk nothing resumes by itself, the person must ask again. */
export function spaceNeeded(error: FederationError, file: string): FederationError {
  if (error.code !== 'DISK_FULL') return error;
  return new FederationError('DISK_FULL', `there is no space left for ${file}`, {
    cause: error,
    remedy: `Free some space in ${dirname(file)}, or name another place, and run the command again.`,
  });
}
