import type { CallerView, OperatorRole } from '@consilium/shared/wire';
import type { AuditActor } from '../audit/audit-log.js';

/** Who sent a request or opened a connection, and what that one may do. */
export interface OperatorCaller {
  /** Null for whoever holds the token of the home folder. */
  readonly name: string | null;
  readonly role: OperatorRole;
  readonly actor: AuditActor;
  /** The account and the token behind it; null for the token of the home folder. */
  readonly accountId: string | null;
  readonly tokenId: string | null;
  readonly expiresAtMs: number | null;
}

/** The token of the home folder: whoever reads that folder can change everything in it anyway. */
export const HOME_OPERATOR: OperatorCaller = {
  name: null,
  role: 'administer',
  actor: 'operator',
  accountId: null,
  tokenId: null,
  expiresAtMs: null,
};

export function callerView({ name, role, expiresAtMs }: OperatorCaller): CallerView {
  return { name, role, expiresAtMs };
}
