import { type Clock, FederationError, newId, newSecret } from '@consilium/shared/kernel';
import type { InvitedOperator, OperatorAccountView, OperatorRole, SignedIn, SignIn } from '@consilium/shared/wire';
import { Inject, Injectable } from '@nestjs/common';
import { type EntityManager } from 'typeorm';
import { type AuditActor, AuditLog } from '../audit/audit-log.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { CLOCK, CONFIG } from '../ports.js';
import { UnitOfWork } from '../records/unit-of-work.js';
import { OperatorAccount } from './operator-account.entity.js';
import { OperatorToken } from './operator-token.entity.js';
import { OperatorTokens } from './operator-tokens.js';
import { digestPassword, isPassword } from './password-digest.js';
import { SignInPace } from './sign-in-pace.js';

/** The operators by name: what each may do, and the passwords by which they sign in. */
@Injectable()
export class OperatorAccounts {
  private readonly pace: SignInPace;
  /** Compared where a name is not known, so that it takes as long as a wrong password. */
  private nobody: Promise<string> | undefined;

  constructor(
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
    private readonly tokens: OperatorTokens,
    @Inject(CONFIG) private readonly config: CoordinatorConfig,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {
    this.pace = new SignInPace(clock);
  }

  async list(): Promise<OperatorAccountView[]> {
    const accounts = await this.unitOfWork.transact((records) => records.find(OperatorAccount, { order: { name: 'ASC' } }));
    return accounts.map(viewOf);
  }

  /** A new account with a password for its first sign-in only. NAME_TAKEN when there is one of this name. */
  async invite(name: string, role: OperatorRole, by: AuditActor): Promise<InvitedOperator> {
    const { firstPassword, passwordDigest } = await newFirstPassword();
    const account = await this.unitOfWork.transact(async (records) => {
      if (await records.existsBy(OperatorAccount, { name })) {
        throw new FederationError('NAME_TAKEN', `there is an operator named ${name} already`, {
          remedy: `Choose another name; for a new password: coordinator operator reset ${name}`,
        });
      }
      const invited = { id: newId('operator'), name, role, state: 'invited' as const, passwordDigest, lastSignInAtMs: null };
      await this.audit.append(records, { kind: 'operator-invited', actor: by, subject: { operator: name, role } });
      return records.save(OperatorAccount, { ...invited, createdAtMs: this.clock.nowMs() });
    });
    return { account: viewOf(account), firstPassword };
  }

  /**
   * A token for a name and its password. Throws OPERATOR_REFUSED for a wrong pair without saying which is wrong, for a disabled
   * account, when too many were tried, and with `mustChange` in its details when the first password has to be replaced.
   */
  async signIn({ name, password, newPassword }: SignIn): Promise<SignedIn> {
    this.pace.require(name);
    const account = await this.unitOfWork.transact((records) => records.findOneBy(OperatorAccount, { name }));
    const isRight = await isPassword(password, account?.passwordDigest ?? (await this.nobodysDigest()));
    if (account === null || !isRight) {
      this.pace.failed(name);
      throw refused('the name or the password is wrong', 'Try again; whoever keeps the accounts can give you a new password.');
    }
    this.pace.succeeded(name);
    const isChange = newPassword !== undefined;
    if (isChange) requireAnother(newPassword, { password, name });
    const passwordDigest = isChange ? await digestPassword(newPassword) : account.passwordDigest;
    const isFirst = account.state === 'invited';
    if (isFirst && !isChange) {
      throw new FederationError('OPERATOR_REFUSED', 'the first password must be replaced by one of your own', {
        details: { mustChange: true },
        remedy: 'Sign in with "coordinator sign-in", which asks for it.',
      });
    }
    const { secret, row } = await this.unitOfWork.transact(async (records) => {
      const present = await this.get(records, name);
      // Changed by somebody else while the digest was computed.
      if (present.state === 'disabled' || present.passwordDigest !== account.passwordDigest)
        throw refused('this account is disabled, or its password was changed', 'Ask whoever keeps the accounts.');
      const signedIn = { ...present, state: 'active' as const, passwordDigest, lastSignInAtMs: this.clock.nowMs() };
      await records.save(OperatorAccount, signedIn);
      if (isChange) await this.passwordChanged(records, signedIn);
      return this.tokens.openSession(records, signedIn, this.config.signInLifetimeMs);
    });
    if (isChange) this.tokens.changed();
    return { token: secret, name, role: row.role, expiresAtMs: row.expiresAtMs };
  }

  /** A new first password; what the account had opened is closed. */
  async reset(name: string, by: AuditActor): Promise<InvitedOperator> {
    const { firstPassword, passwordDigest } = await newFirstPassword();
    const account = await this.change(name, by, 'operator-reset', { state: 'invited', passwordDigest });
    return { account, firstPassword };
  }

  async changeRole(name: string, role: OperatorRole, by: AuditActor): Promise<OperatorAccountView> {
    return this.change(name, by, 'operator-role-changed', { role });
  }

  /** Ends the account and everything that it has opened, at once. {@link OperatorAccounts.reset} brings it back. */
  async disable(name: string, by: AuditActor): Promise<OperatorAccountView> {
    return this.change(name, by, 'operator-disabled', { state: 'disabled' });
  }

  private async change(
    name: string,
    by: AuditActor,
    kind: string,
    changes: Partial<Pick<OperatorAccount, 'role' | 'state' | 'passwordDigest'>>,
  ): Promise<OperatorAccountView> {
    const account = await this.unitOfWork.transact(async (records) => {
      const changed = { ...(await this.get(records, name)), ...changes };
      if (changes.state !== undefined) await records.delete(OperatorToken, { accountId: changed.id });
      const subject = { operator: name, role: changed.role };
      await this.audit.append(records, { kind, actor: by, subject });
      return records.save(OperatorAccount, changed);
    });
    this.tokens.changed();
    return viewOf(account);
  }

  /** Whoever knew the old one is signed out; tokens for programs stay, for they do not depend on it. */
  private async passwordChanged(records: EntityManager, { id: accountId, name }: OperatorAccount): Promise<void> {
    await this.tokens.endSessions(records, accountId);
    await this.audit.append(records, { kind: 'operator-password-chosen', actor: `operator:${name}`, subject: {} });
  }

  private async get(records: EntityManager, name: string): Promise<OperatorAccount> {
    const account = await records.findOneBy(OperatorAccount, { name });
    if (account !== null) return account;
    throw new FederationError('NOT_FOUND', `there is no operator named ${name}`, {
      remedy: 'List them with "coordinator operator list".',
    });
  }

  private nobodysDigest(): Promise<string> {
    this.nobody ??= digestPassword(newSecret('nobody'));
    return this.nobody;
  }
}

async function newFirstPassword(): Promise<{ firstPassword: string; passwordDigest: string }> {
  const firstPassword = newSecret('first');
  return { firstPassword, passwordDigest: await digestPassword(firstPassword) };
}

function requireAnother(newPassword: string, { password, name }: { password: string; name: string }): void {
  const isAnother = newPassword !== password && !newPassword.toLowerCase().includes(name.toLowerCase());
  if (isAnother) return;
  throw new FederationError('ARGUMENT_INVALID', 'newPassword: it must differ from the old one and not hold the name', {
    details: { field: 'newPassword' },
    remedy: 'Choose another: several words are easy to remember.',
  });
}

function refused(message: string, remedy: string): FederationError {
  return new FederationError('OPERATOR_REFUSED', message, { remedy });
}

function viewOf({ name, role, state, createdAtMs, lastSignInAtMs }: OperatorAccount): OperatorAccountView {
  return { name, role, state, createdAtMs, lastSignInAtMs };
}
