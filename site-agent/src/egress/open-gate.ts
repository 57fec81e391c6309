import { httpWeightTransfer, type TransferLimits, type WeightTransfer } from '../agent/weight-transfer.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { SocketLink, type SocketLinkOptions } from '../link/socket-link.js';
import type { GateParts } from './gate-rules.js';
import { GatedLink } from './gated-link.js';
import { GatedTransfer } from './gated-transfer.js';

export interface GateOptions extends GateParts {
  readonly link: SocketLinkOptions;
  readonly transfer?: TransferLimits;
  /** Gets a manifest of each update that leaves. */
  readonly egressFolder: string;
}

/** Both ways to the coordinator. */
export interface Gate {
  readonly link: CoordinatorLink;
  readonly transfer: WeightTransfer;
}

/**
 * The one place at which the agent's ways to the coordinator are opened: whatever leaves goes through the gate, because nobody else
 * may import what lies behind it (test/architecture holds that).
 */
export function openGate({ link, transfer = {}, egressFolder, ...parts }: GateOptions): Gate {
  const gatedTransfer = new GatedTransfer(httpWeightTransfer(link, transfer), parts, egressFolder);
  const requireExamined = (participationId: string): Promise<void> => gatedTransfer.requireExamined(participationId);
  return { link: new GatedLink(new SocketLink(link), parts, requireExamined), transfer: gatedTransfer };
}
