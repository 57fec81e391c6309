import { patchesPerStep } from '@consilium/shared/wire';
import { describeDevice, type Device } from '../../engine/devices/choose-devices.js';
import { shareBatch, type BatchShare } from './batch-share.js';
import type { Followers } from './lead-steps.js';
import type { ReplicaOrder } from './replica-order.js';
import { ReplicaProcess } from './replica-process.js';

/** What all further trainers of a round have in common. */
export type TeamOrder = Omit<ReplicaOrder, 'share' | 'device'>;

/** The further trainers of one round, one per device, and who takes which part of each batch. */
export class ReplicaTeam implements Followers {
  /** The leader's part of each batch. */
  readonly leaderShare: BatchShare;
  readonly channels: Followers['channels'];
  readonly lost: Promise<never>;

  private constructor(
    private readonly replicas: readonly ReplicaProcess[],
    shares: readonly BatchShare[],
  ) {
    this.leaderShare = shares[0] ?? { first: 0, count: 0 };
    this.channels = replicas.map(({ channel }) => channel);
    this.lost = Promise.race(replicas.map(({ lost }) => lost));
    this.lost.catch(() => undefined); // nobody may be waiting yet
  }

  /**
   * Starts a trainer on each device that gets a part of the batches; undefined when the leader alone can do them. They load in
   * the meantime: whether one failed shows when the leader first needs it.
   */
  static start(order: TeamOrder, devices: readonly Device[], announce: (text: string) => void): ReplicaTeam | undefined {
    const shares = shareBatch(patchesPerStep(order.plan.training), devices.length + 1);
    const [, ...others] = shares;
    for (const line of announcements(order, devices, shares)) announce(line);
    if (others.length === 0) return undefined;
    const replicas = devices.slice(0, others.length).map((device, i) => {
      return new ReplicaProcess({ ...order, device, share: others[i] ?? { first: 0, count: 0 } });
    });
    return new ReplicaTeam(replicas, shares);
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all(this.replicas.map((replica) => replica.close()));
  }
}

function announcements({ plan }: TeamOrder, devices: readonly Device[], shares: readonly BatchShare[]): string[] {
  const patches = patchesPerStep(plan.training);
  const idle = devices.slice(shares.length - 1).map(describeDevice);
  const counts = shares.map(({ count }) => count).join(' + ');
  const lines: string[] = [];
  if (shares.length > 1) lines.push(`${shares.length} devices train together: each batch of ${patches} is shared as ${counts}`);
  if (idle.length > 0) lines.push(`a batch of ${patches} leaves idle: ${idle.join(', ')}`);
  if (shares.length > 1 && plan.model.norm === 'batch')
    lines.push('batch norm takes its statistics from each device’s share, not from the whole batch');
  return lines;
}
