import { type ErrorCode, FederationError } from '@consilium/shared/kernel';
import type { Log } from '@consilium/shared/terminal';
import type { VersionDelta, VersionReference } from '@consilium/shared/wire';
import type { SiteFiles } from './site-files.js';
import type { TransferHooks, WeightTransfer } from './weight-transfer.js';

/** What says that this way leads nowhere, however often it is tried: the delta is not there, or it or the parent is damaged. */
const NO_WAY: ReadonlySet<ErrorCode> = new Set(['DIGEST_MISMATCH', 'WEIGHTS_MALFORMED', 'MANIFEST_MISMATCH', 'NOT_FOUND']);

/**
 * Fetches the delta of a version and makes the version of its parent, which is here. False, with a warning in the log, when that
 * cannot be done: then the version has to be fetched whole. A killed agent begins again with what it had fetched.
 */
export async function makeByDelta(
  { files, log, transfer }: { readonly files: SiteFiles; readonly log: Log; readonly transfer: WeightTransfer },
  { version, delta }: { readonly version: VersionReference; readonly delta: VersionDelta },
  hooks: TransferHooks,
): Promise<boolean> {
  try {
    await transfer.fetchVersion(delta, files.versionPath(delta.digest), hooks);
    await files.rebuildVersion(version.digest, delta, hooks.signal);
  } catch (thrown) {
    if (!(thrown instanceof FederationError) || !NO_WAY.has(thrown.code)) throw thrown;
    log.warn(`version ${version.number} cannot be made of the one before (${thrown.code}): fetching it whole`);
    await files.dropVersion(delta.digest);
    return false;
  }
  await files.dropVersion(delta.digest);
  return true;
}
