import { statSync } from 'node:fs';
import type { FederationError } from '@consilium/shared/kernel';
import type { TransferHooks, UpdateParcel, WeightTransfer } from '../agent/weight-transfer.js';
import { EgressFolder, manifestOfUpdate } from './egress-manifest.js';
import { examineUpdate } from './examine-update.js';
import { aboutRound, type GateParts, type ReadyRecord, requirePolicy, requireReady, sayingRefusals } from './gate-rules.js';
import { refused } from './require-contents.js';
import { toldReport } from './told-figures.js';
import { updateContents, updateMetadataOf } from './update-contents.js';
import { bytesOf } from '../policy/site-policy.js';

/**
 * The data plane as the gate lets it through: an update leaves only when its file holds what the plan of its round names and nothing
 * else, when the policy allows it, and when all of that is written down.
 */
export class GatedTransfer implements WeightTransfer {
  private readonly manifests: EgressFolder;

  constructor(
    private readonly through: WeightTransfer,
    private readonly parts: GateParts,
    egressFolder: string,
  ) {
    this.manifests = new EgressFolder(egressFolder);
  }

  /** Asks for a digest; nothing of the site leaves with that. */
  fetchVersion(...order: Parameters<WeightTransfer['fetchVersion']>): Promise<void> {
    return this.through.fetchVersion(...order);
  }

  async sendUpdate(parcel: UpdateParcel, hooks: TransferHooks): Promise<string> {
    const record = this.readyOf(parcel);
    return sayingRefusals(this.parts, aboutRound(record.plan), async () => {
      if (parcel.path !== record.update.path || parcel.digest !== record.update.digest)
        throw refused('it is not the one that training ended with');
      requirePolicy(this.parts, record.plan);
      const before = stampOf(parcel.path);
      await this.examine(record, hooks.signal);
      return this.sendUnchanged(parcel, hooks, before);
    });
  }

  /** Examines the update unless its manifest says that this was done; for an offer whose bytes left before. */
  async requireExamined(participationId: string): Promise<void> {
    const record = requireReady(this.parts, participationId);
    const known = await this.manifests.read(participationId);
    if (known?.update !== record.update.digest) await this.examine(record, undefined);
  }

  private readyOf({ participationId }: UpdateParcel): ReadyRecord {
    return requireReady(this.parts, participationId);
  }

  private async examine({ participationId, plan, update }: ReadyRecord, signal: AbortSignal | undefined): Promise<void> {
    const { audit, policy } = this.parts;
    const { rules } = policy;
    const { path, digest, report } = update;
    const contents = updateContents(plan);
    const examined = await examineUpdate({ path, digest, contents, metadata: updateMetadataOf(plan, report.patches) }, signal);
    const most = bytesOf(rules.largestUpdate) ?? Infinity;
    if (examined.bytes > most) throw refused(`it has ${examined.bytes} bytes, and the policy allows ${most}`);
    const manifest = await this.manifests.write(participationId, manifestOfUpdate(plan, examined, toldReport(report, rules)));
    audit.note('egress', { ...aboutRound(plan), manifest, update: digest, bytes: examined.bytes });
    audit.flush();
  }

  /** Sends the file as it was examined: when it is another one at any piece, the sending stops there. */
  private async sendUnchanged(parcel: UpdateParcel, hooks: TransferHooks, before: string): Promise<string> {
    const stop = new AbortController();
    const signal = AbortSignal.any([hooks.signal, stop.signal]);
    let changed: FederationError | undefined;
    const onProgress = (bytes: number, total: number): void => {
      if (changed === undefined && stampOf(parcel.path) !== before) {
        changed = refused('its file was changed after it had been examined');
        stop.abort();
      }
      hooks.onProgress(bytes, total);
    };
    try {
      const uploadId = await this.through.sendUpdate(parcel, { ...hooks, signal, onProgress });
      if (changed !== undefined) throw changed;
      return uploadId;
    } catch (thrown) {
      throw changed ?? thrown;
    }
  }
}

/** What differs when a file is another one or was written to, whatever its date says; "gone" when it is. */
function stampOf(path: string): string {
  const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? 'gone' : [stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
}
