import type { Digest } from '@consilium/shared/kernel';
import type { RoundPlan } from '@consilium/shared/wire';
import type { Device } from '../../engine/devices/choose-devices.js';
import type { LearnerOptions } from '../learner.js';
import type { BatchShare } from './batch-share.js';

/** What a further trainer of one round does: its share of each batch, on its own device, following the leader. */
export interface ReplicaOrder {
  readonly home: string;
  readonly plan: RoundPlan;
  /** The leader's collection: this trainer must find the same one. */
  readonly collection: Digest;
  /** As the leader's own. */
  readonly learner: Omit<LearnerOptions, 'runtime'>;
  readonly share: BatchShare;
  readonly device: Device;
  readonly tf32: boolean | undefined;
  readonly threads: number | undefined;
}

/** The descriptor at which a replica finds the frames of its leader. */
export const FRAMES_DESCRIPTOR = 4;
