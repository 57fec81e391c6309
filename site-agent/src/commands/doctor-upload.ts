import { FederationError, formatBytes, formatDuration } from '@consilium/shared/kernel';
import type { Check } from '@consilium/shared/terminal';
import type { SiteCampaign } from '@consilium/shared/wire';
import { measureUpload, type UploadMeasurement } from '../link/measure-upload.js';
import { reasonOf } from '../link/coordinator-address.js';
import type { CoordinatorAccess } from '../link/request-identity.js';

/** Of the published network (Models Genesis). */
const PUBLISHED_PARAMETERS = 19_073_665;
const BYTES_PER_PARAMETER = 4;
/** An update that takes longer may miss the deadline of its round. */
const LONG_MS = 15 * 60_000;
const LIMIT_MS = 12_000;

export interface UpdateSize {
  /** Whose update it is, in words. */
  readonly of: string;
  readonly bytes: number;
}

/** Measures with random bytes; a few seconds, at most sixteen MiB and a little. */
export async function checkUpload(
  access: CoordinatorAccess,
  campaigns: readonly SiteCampaign[],
  mostBytesPerSecond: number | undefined,
): Promise<Check> {
  const name = 'upload';
  const signal = AbortSignal.timeout(LIMIT_MS);
  try {
    const measured = await measureUpload(access, { mostBytesPerSecond, signal });
    return judgeUpload(measured, updateSizeOf(campaigns), mostBytesPerSecond);
  } catch (thrown) {
    if (signal.aborted) return tooSlow();
    const error = FederationError.from(thrown, 'TRANSFER_BROKEN');
    if (error.code === 'NOT_FOUND') return { name, status: 'ok', finding: 'not measured: this coordinator is too old for it' };
    if (error.code === 'COORDINATOR_BUSY' || error.code === 'TOO_MANY_REQUESTS')
      return { name, status: 'ok', finding: `not measured: ${error.message}` };
    const remedy =
      error.remedy ?? 'Something on the way may refuse large requests: have it pass bodies of some MiB to the coordinator.';
    const finding = thrown instanceof FederationError ? error.message : `broke off (${reasonOf(thrown)})`;
    return { name, status: 'warning', finding, remedy, code: error.code };
  }
}

/** The largest of the campaigns that are under way: an update is at most as large as its version, in 32-bit floats. */
export function updateSizeOf(campaigns: readonly SiteCampaign[]): UpdateSize {
  const sizes = campaigns.flatMap(({ name, state, versions }) => {
    const bytes = versions.at(-1)?.bytes;
    return state === 'active' && bytes !== undefined ? [{ of: name, bytes }] : [];
  });
  const published = {
    of: `the published network (${PUBLISHED_PARAMETERS.toLocaleString('en')} parameters)`,
    bytes: BYTES_PER_PARAMETER * PUBLISHED_PARAMETERS,
  };
  return (
    sizes.reduce<UpdateSize | undefined>((most, one) => (most === undefined || one.bytes > most.bytes ? one : most), undefined) ??
    published
  );
}

/** How long an update takes on this line. */
export function judgeUpload(
  { bytesPerSecond, bytes }: UploadMeasurement,
  update: UpdateSize,
  mostBytesPerSecond: number | undefined,
): Check {
  const name = 'upload';
  const takesMs = (1000 * update.bytes) / bytesPerSecond;
  const limit = mostBytesPerSecond === undefined ? '' : `, held to ${formatBytes(mostBytesPerSecond)}/s by uploadLimit`;
  const finding =
    `${formatBytes(Math.round(bytesPerSecond))}/s (${formatBytes(bytes)} of random bytes${limit}): ` +
    `an update of ${update.of}, at most ${formatBytes(update.bytes)}, takes ${formatDuration(takesMs)}`;
  if (takesMs <= LONG_MS) return { name, status: 'ok', finding };
  return { name, status: 'warning', finding, remedy: slowRemedy(mostBytesPerSecond !== undefined) };
}

function slowRemedy(hasLimit: boolean): string {
  const own = hasLimit ? 'Raise uploadLimit in site.yaml or in the policy, or ask' : 'Ask';
  return `${own} your IT department what holds the line back; ask the operator for longer rounds, or for updates in fewer bits. A broken upload goes on where it was.`;
}

function tooSlow(): Check {
  const finding = `not even a small piece arrived within ${formatDuration(LIMIT_MS)}, and it was cut`;
  return { name: 'upload', status: 'warning', finding, remedy: slowRemedy(false), code: 'TRANSFER_BROKEN' };
}
