import type { Digest, FederationError } from '@consilium/shared/kernel';
import type { VersionReference } from '@consilium/shared/wire';
import type { BackoffPlan } from '../link/backoff.js';
import type { CoordinatorAccess } from '../link/request-identity.js';
import { paceOf } from '../link/pace.js';
import { downloadBlob } from '../link/resumable-download.js';
import { uploadFile } from '../link/resumable-upload.js';

export interface TransferHooks {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number, total: number) => void;
  /** The connection is broken and tried again later. */
  readonly onWait: (error: FederationError, retryInMs: number) => void;
}

export interface UpdateParcel {
  readonly participationId: string;
  readonly path: string;
  readonly digest: Digest;
  readonly uploadId: string | undefined;
  readonly onCreated: (uploadId: string) => void;
}

/** The data plane as the agent sees it. Both calls resume, retry what may heal, and end when the signal is aborted. */
export interface WeightTransfer {
  fetchVersion(version: Pick<VersionReference, 'digest' | 'bytes'>, path: string, hooks: TransferHooks): Promise<void>;
  /** Returns the upload's identifier for the offer. */
  sendUpdate(parcel: UpdateParcel, hooks: TransferHooks): Promise<string>;
}

export interface TransferLimits {
  readonly backoff?: BackoffPlan | undefined;
  /** The most that uploads may take of the site's link, asked before each piece where it may change; as much as there is when left out. */
  readonly uploadBytesPerSecond?: number | (() => number | undefined) | undefined;
}

/** The data plane over HTTP. */
export function httpWeightTransfer(access: CoordinatorAccess, limits: TransferLimits = {}): WeightTransfer {
  const { backoff, uploadBytesPerSecond } = limits;
  const beforePiece = uploadBytesPerSecond === undefined ? undefined : paceOf(uploadBytesPerSecond);
  return {
    fetchVersion: ({ digest, bytes }, path, { onProgress, ...hooks }) =>
      downloadBlob(
        { ...access, digest, bytes, path, onProgress: (received) => onProgress(received, bytes) },
        { ...hooks, backoff },
      ),
    sendUpdate: (parcel, { onProgress, ...hooks }) =>
      uploadFile({ ...access, ...parcel, onProgress, beforePiece }, { ...hooks, backoff }),
  };
}
