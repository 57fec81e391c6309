import { FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS, lineTestAnswerSchema, MOST_LINE_TEST_BYTES, parseWith } from '@consilium/shared/wire';
import { coordinatorAddress, errorOfResponse } from './coordinator-address.js';
import { exchange } from './http-exchange.js';
import { paceOf } from './pace.js';
import { type CoordinatorAccess, sendAs } from './request-identity.js';

/** Opens the line and tells how much the second body may hold. */
const FIRST_BYTES = 128 * 1024;
const AIMED_MS = 3_000;
/** A first body that took this long says enough. */
const LONG_ENOUGH_MS = 1_500;

export interface UploadMeasurement {
  readonly bytesPerSecond: number;
  /** What was sent for it. */
  readonly bytes: number;
  readonly tookMs: number;
}

export interface MeasureOptions {
  /** The most that the site lets uploads take of its link. */
  readonly mostBytesPerSecond?: number | undefined;
  readonly signal: AbortSignal;
}

/**
 * Sends random bytes, made on the spot, the way that updates go, and times them: first a few, then as many as take about three
 * seconds, at most 16 MiB. Nothing of the site is among them. Rejects as requests do; NOT_FOUND for a coordinator that is too old.
 */
export async function measureUpload(access: CoordinatorAccess, options: MeasureOptions): Promise<UploadMeasurement> {
  const first = await sendOnce(access, FIRST_BYTES, options);
  if (first.tookMs >= LONG_ENOUGH_MS) return speedOf(first);
  const wanted = Math.round((FIRST_BYTES * AIMED_MS) / Math.max(1, first.tookMs));
  return speedOf(await sendOnce(access, Math.min(MOST_LINE_TEST_BYTES, Math.max(FIRST_BYTES, wanted)), options));
}

function speedOf({ bytes, tookMs }: { readonly bytes: number; readonly tookMs: number }): UploadMeasurement {
  return { bytesPerSecond: (1000 * bytes) / Math.max(1, tookMs), bytes, tookMs };
}

/** Timed here, up to the answer: what is on the way in the buffers of a proxy has not arrived. */
async function sendOnce(
  { coordinatorUrl, identity, line }: CoordinatorAccess,
  bytes: number,
  { signal, mostBytesPerSecond }: MeasureOptions,
): Promise<{ readonly bytes: number; readonly tookMs: number }> {
  const asked = { method: 'POST', url: coordinatorAddress(coordinatorUrl, DATA_PATHS.lineTest) };
  const beforePiece = mostBytesPerSecond === undefined ? undefined : paceOf(mostBytesPerSecond);
  let startedMs = performance.now();
  const { status, body } = await sendAs(identity, asked, (letIn) => {
    startedMs = performance.now();
    const headers = { ...letIn, 'content-type': 'application/octet-stream' };
    return exchange({ ...asked, headers, randomBytes: bytes, beforePiece, stallMs: 60_000, signal, line });
  });
  const tookMs = performance.now() - startedMs;
  if (status !== 200) throw errorOfResponse(status, body);
  const { receivedBytes } = parseWith(lineTestAnswerSchema, jsonOf(body), 'MESSAGE_REFUSED', 'the coordinator’s answer');
  if (receivedBytes === bytes) return { bytes, tookMs };
  throw new FederationError('TRANSFER_BROKEN', `of ${bytes} bytes the coordinator received ${receivedBytes}`);
}

function jsonOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch (cause) {
    throw new FederationError('COORDINATOR_UNREACHABLE', 'something else than a coordinator answers', { cause });
  }
}
