import { timingSafeEqual } from 'node:crypto';
import { type Clock, FederationError, newId, newSecret, parseDurationMs, required } from '@consilium/shared/kernel';
import { type IssuedToken, lesserRole, type OperatorRole, type OperatorTokenView, roleAllows } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager, LessThanOrEqual } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { CLOCK, OPERATOR_TOKEN } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { OperatorAccount } from './operator-account.entity.js';
import { HOME_OPERATOR, type OperatorCaller } from './operator-caller.js';
import { OperatorToken } from './operator-token.entity.js';
import { secretDigest } from './site-credentials.js';

const LONGEST_TOKEN_MS = 400 * 86_400_000;
/** The label of what a sign-in gives; the list of tokens leaves these out. */
const SIGN_IN = 'sign-in';

/** What opens the operators' interface: the token of the home folder, and those of accounts. */
@Injectable()
export class OperatorTokens {
  private readonly home: Buffer;
  /** Callers by the digest of their token, so that not every request asks the database; emptied by each change. */
  private readonly known = new Map<string, OperatorCaller>();
  private changes = 0;
  private readonly listeners: (() => void)[] = [];

  constructor(
    @Inject(OPERATOR_TOKEN) homeToken: string,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.home = Buffer.from(secretDigest(homeToken));
  }

  /** Throws OPERATOR_REFUSED unless the token is the home folder's, or a live one of an account that is not disabled. */
  async authenticate(token: string | undefined): Promise<OperatorCaller> {
    const digest = secretDigest(token ?? '');
    if (timingSafeEqual(Buffer.from(digest), this.home)) return HOME_OPERATOR;
    const caller = this.known.get(digest) ?? (await this.find(digest));
    if (caller !== undefined && (caller.expiresAtMs ?? Infinity) > this.clock.nowMs()) return caller;
    this.known.delete(digest);
    throw new FederationError(
      'OPERATOR_REFUSED',
      caller === undefined ? 'the operator token is missing or wrong' : 'the operator token has expired',
      { remedy: 'Sign in with "coordinator sign-in", or use the token in the coordinator folder\'s operator.token.' },
    );
  }

  /** Tells when what was let in may no longer be: a token was revoked, an account changed. */
  onChange(listener: () => void): void {
    this.listeners.push(listener);
  }

  /** After every commit that takes something away from somebody. */
  changed(): void {
    this.changes += 1;
    this.known.clear();
    for (const listener of this.listeners) listener();
  }

  /** Written inside the caller's transaction. Tokens that have expired are swept on the way. */
  async issue(
    records: EntityManager,
    { id: accountId, role: most }: OperatorAccount,
    { label, role, lifetimeMs }: { readonly label: string; readonly role: OperatorRole; readonly lifetimeMs: number },
  ): Promise<{ readonly secret: string; readonly row: OperatorToken }> {
    const nowMs = this.clock.nowMs();
    await records.delete(OperatorToken, { accountId, expiresAtMs: LessThanOrEqual(nowMs) });
    const secret = newSecret('operator');
    const times = { createdAtMs: nowMs, expiresAtMs: Math.round(nowMs + lifetimeMs) };
    const row = { id: newId('token'), accountId, label, role: lesserRole(role, most), digest: secretDigest(secret), ...times };
    return { secret, row: await records.save(OperatorToken, row) };
  }

  /** Ends what an account's sign-ins have opened; its tokens for programs stay. */
  async endSessions(records: EntityManager, accountId: string): Promise<void> {
    await records.delete(OperatorToken, { accountId, label: SIGN_IN });
  }

  /** What a sign-in gives. */
  async openSession(records: EntityManager, account: OperatorAccount, lifetimeMs: number): ReturnType<OperatorTokens['issue']> {
    return this.issue(records, account, { label: SIGN_IN, role: account.role, lifetimeMs });
  }

  /** A token for a program that asks in the caller's name. ARGUMENT_INVALID for the home folder's token, which is nobody's. */
  async create(
    caller: OperatorCaller,
    { label, role, lifetime }: { readonly label: string; readonly role: OperatorRole; readonly lifetime: string },
  ): Promise<IssuedToken> {
    const accountId = requireAccount(caller);
    const lifetimeMs = parseDurationMs(lifetime);
    if (lifetimeMs > LONGEST_TOKEN_MS)
      throw refusedArgument('lifetime: expected 400 days or less', 'Ask for another token then.');
    if (label === SIGN_IN) throw refusedArgument(`label: "${SIGN_IN}" is kept for sign-ins`, 'Name what the token is for.');
    if (!roleAllows(caller.role, role))
      throw refusedArgument(`role: you may do less than ${role} yourself`, `Ask for ${caller.role}.`);
    return this.unitOfWork.transact(async (records) => {
      const account = required(await records.findOneBy(OperatorAccount, { id: accountId }), 'the account of a caller');
      const { secret, row } = await this.issue(records, account, { label, role, lifetimeMs });
      const subject = { token: row.id, label, role: row.role, expiresAtMs: row.expiresAtMs };
      await this.audit.append(records, { kind: 'operator-token-created', actor: caller.actor, subject });
      return { view: viewOf(row, account.name), token: secret };
    });
  }

  /** The caller's own; all of them for whoever keeps the accounts. Sign-ins are left out. */
  async list(caller: OperatorCaller): Promise<OperatorTokenView[]> {
    return this.unitOfWork.transact(async (records) => {
      const accounts = new Map((await records.find(OperatorAccount)).map(({ id, name }) => [id, name]));
      const rows = await records.find(OperatorToken, { order: { createdAtMs: 'ASC', id: 'ASC' } });
      const nowMs = this.clock.nowMs();
      return rows
        .filter((row) => row.label !== SIGN_IN && row.expiresAtMs > nowMs && maySee(caller, row))
        .map((row) => viewOf(row, required(accounts.get(row.accountId), 'the account of a token')));
    });
  }

  /** NOT_FOUND for tokens that the caller may not see. */
  async revoke(caller: OperatorCaller, id: string): Promise<void> {
    await this.unitOfWork.transact(async (records) => {
      const row = await records.findOneBy(OperatorToken, { id });
      if (row === null || !maySee(caller, row)) {
        throw new FederationError('NOT_FOUND', `there is no token ${id}`, {
          remedy: 'List them with "coordinator operator token list".',
        });
      }
      await records.delete(OperatorToken, { id });
      const subject = { token: id, label: row.label };
      await this.audit.append(records, { kind: 'operator-token-revoked', actor: caller.actor, subject });
    });
    this.changed();
  }

  /** The end of the caller's own sign-in; other tokens stay. */
  async signOut(caller: OperatorCaller): Promise<void> {
    if (caller.tokenId === null) return;
    const id = caller.tokenId;
    await this.unitOfWork.transact((records) => records.delete(OperatorToken, { id }));
    this.changed();
  }

  private async find(digest: string): Promise<OperatorCaller | undefined> {
    const changes = this.changes;
    const caller = await this.unitOfWork.transact(async (records): Promise<OperatorCaller | undefined> => {
      const row = await records.findOneBy(OperatorToken, { digest });
      const account = row && (await records.findOneBy(OperatorAccount, { id: row.accountId }));
      if (!row || account?.state !== 'active') return undefined;
      const { name, role } = account;
      const behind = { accountId: account.id, tokenId: row.id, expiresAtMs: row.expiresAtMs };
      return { name, role: lesserRole(row.role, role), actor: `operator:${name}`, ...behind };
    });
    // Nobody's rights were taken away while we looked.
    if (caller !== undefined && changes === this.changes) this.known.set(digest, caller);
    return caller;
  }
}

function requireAccount({ accountId }: OperatorCaller): string {
  if (accountId !== null) return accountId;
  throw refusedArgument('the token of the coordinator’s folder belongs to nobody', 'Sign in with "coordinator sign-in" first.');
}

function maySee({ accountId, role }: OperatorCaller, row: OperatorToken): boolean {
  return row.accountId === accountId || roleAllows(role, 'administer');
}

function viewOf({ id, label, role, createdAtMs, expiresAtMs }: OperatorToken, operator: string): OperatorTokenView {
  return { id, operator, label, role, createdAtMs, expiresAtMs };
}

function refusedArgument(message: string, remedy: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', message, { remedy });
}
