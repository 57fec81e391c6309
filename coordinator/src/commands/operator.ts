import { FederationError } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import {
  callerViewSchema,
  type InvitedOperator,
  invitedOperatorSchema,
  issuedTokenSchema,
  OPERATOR_ROLES,
  operatorAccountViewSchema,
  type OperatorRole,
  operatorTokenViewSchema,
  ROLE_WORDS,
} from '@consilium/shared/wire';
import { Command } from 'commander';
import { z } from 'zod';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

const ROLES_HELP = `\nRoles, each with the ones before it:\n${OPERATOR_ROLES.map((role) => `  ${role.padEnd(11)} ${ROLE_WORDS[role]}`).join('\n')}`;

export function operatorCommand(): Command {
  const command = new Command('operator').description('accounts of operators, and tokens for programs that ask in their names');
  for (const child of [inviteCommand(), listCommand(), roleCommand(), disableCommand(), resetCommand(), tokenCommand()])
    command.addCommand(child);
  return command.addHelpText('after', ROLES_HELP);
}

function inviteCommand(): Command {
  return withAccess(new Command('invite'))
    .description('a new account: prints a password for the first sign-in')
    .argument('<name>', 'name of the operator: letters, digits, ".", "_" and "-"')
    .requiredOption('--role <role>', OPERATOR_ROLES.join(', '))
    .option('--json', 'print as JSON')
    .addHelpText('after', `${ROLES_HELP}\n\nExample:\n  coordinator operator invite ada --role operate`)
    .action(async (name: string, { role, ...flags }: Flags & { role: string }) => {
      const link = operatorLink(flags);
      announce(await link.post('/api/operators', invitedOperatorSchema, { name, role: requireRole(role) }), link.url, flags);
    });
}

function listCommand(): Command {
  return withAccess(new Command('list'))
    .description('list the accounts')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator operator list')
    .action(async (flags: Flags) => {
      const accounts = await operatorLink(flags).get('/api/operators', z.array(operatorAccountViewSchema));
      if (flags.json === true) printJson(accounts);
      else if (accounts.length === 0)
        console.log('No accounts yet. Make one with "coordinator operator invite NAME --role ROLE".');
      else {
        const rows = accounts.map(({ name, role, state, lastSignInAtMs }) => [name, role, state, formatTime(lastSignInAtMs)]);
        console.log(formatTable(['operator', 'role', 'state', 'last sign-in (UTC)'], rows));
      }
    });
}

function roleCommand(): Command {
  return withAccess(new Command('role'))
    .description('give an operator another role, at once')
    .argument('<name>', 'name of the operator')
    .argument('<role>', OPERATOR_ROLES.join(', '))
    .option('--json', 'print the account as JSON')
    .addHelpText('after', `${ROLES_HELP}\n\nExample:\n  coordinator operator role ada read`)
    .action(async (name: string, role: string, flags: Flags) => {
      const path = accountPath(name, 'role');
      const account = await operatorLink(flags).post(path, operatorAccountViewSchema, { role: requireRole(role) });
      if (flags.json === true) printJson(account);
      else console.log(`${name} has the role ${account.role} now: ${ROLE_WORDS[account.role]}.`);
    });
}

function disableCommand(): Command {
  return withAccess(new Command('disable'))
    .description('end an account and everything that it has opened, at once')
    .argument('<name>', 'name of the operator')
    .option('--json', 'print the account as JSON')
    .addHelpText('after', '\nExample:\n  coordinator operator disable ada')
    .action(async (name: string, flags: Flags) => {
      const account = await operatorLink(flags).post(accountPath(name, 'disable'), operatorAccountViewSchema);
      if (flags.json === true) printJson(account);
      else console.log(`${name} is disabled. To let ${name} back: coordinator operator reset ${name}`);
    });
}

function resetCommand(): Command {
  return withAccess(new Command('reset'))
    .description('a new password for the first sign-in; what the account has opened is closed')
    .argument('<name>', 'name of the operator')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator operator reset ada')
    .action(async (name: string, flags: Flags) => {
      const link = operatorLink(flags);
      announce(await link.post(accountPath(name, 'reset'), invitedOperatorSchema), link.url, flags);
    });
}

function tokenCommand(): Command {
  const command = new Command('token').description('tokens for programs that ask in your name, such as a monitor');
  command.addCommand(
    withAccess(new Command('create'))
      .description('print a token; it is shown once')
      .argument('<label>', 'what it is for')
      .option('--role <role>', `the most that it allows: ${OPERATOR_ROLES.join(', ')}`, 'read')
      .option('--lifetime <duration>', 'how long it is valid, up to 400d', '90d')
      .option('--json', 'print as JSON')
      .addHelpText('after', '\nExample:\n  coordinator operator token create prometheus --role read --lifetime 365d')
      .action(async (label: string, { role, lifetime, ...flags }: Flags & { role: string; lifetime: string }) => {
        const wanted = { label, role: requireRole(role), lifetime };
        const issued = await operatorLink(flags).post('/api/operator/tokens', issuedTokenSchema, wanted);
        if (flags.json === true) printJson(issued);
        else {
          console.error(`Token ${issued.view.id} (${issued.view.role}), valid until ${formatTime(issued.view.expiresAtMs)} UTC:`);
          console.log(issued.token);
        }
      }),
  );
  command.addCommand(
    withAccess(new Command('list'))
      .description('list your tokens; those of everybody if you keep the accounts')
      .option('--json', 'print as JSON')
      .addHelpText('after', '\nExample:\n  coordinator operator token list')
      .action(async (flags: Flags) => {
        const tokens = await operatorLink(flags).get('/api/operator/tokens', z.array(operatorTokenViewSchema));
        const row = (token: (typeof tokens)[number]) => [
          ...[token.id, token.operator, token.label, token.role],
          ...[formatTime(token.createdAtMs), formatTime(token.expiresAtMs)],
        ];
        if (flags.json === true) printJson(tokens);
        else if (tokens.length === 0) console.log('No tokens.');
        else console.log(formatTable(['id', 'operator', 'label', 'role', 'created (UTC)', 'expires (UTC)'], tokens.map(row)));
      }),
  );
  command.addCommand(
    withAccess(new Command('revoke'))
      .description('end a token at once')
      .argument('<id>', 'id of the token, as the list shows it')
      .addHelpText('after', '\nExample:\n  coordinator operator token revoke token_4f0c')
      .action(async (id: string, flags: Flags) => {
        await operatorLink(flags).post(`/api/operator/tokens/${encodeURIComponent(id)}/revoke`, callerViewSchema);
        console.log(`The token ${id} is revoked.`);
      }),
  );
  return command;
}

function announce(invited: InvitedOperator, url: string, { json }: Flags): void {
  if (json === true) {
    printJson(invited);
    return;
  }
  const { name, role } = invited.account;
  console.log(`${name} (${role}) signs in with this password, and chooses another one then:\n`);
  console.log(`  ${invited.firstPassword}\n`);
  console.log(`  coordinator sign-in ${name} --url ${url}`);
}

function requireRole(text: string): OperatorRole {
  const role = OPERATOR_ROLES.find((known) => known === text);
  if (role !== undefined) return role;
  throw new FederationError('ARGUMENT_INVALID', `there is no role "${text}"`, { remedy: `Use ${OPERATOR_ROLES.join(', ')}.` });
}

function accountPath(name: string, verb: string): string {
  return `/api/operators/${encodeURIComponent(name)}/${verb}`;
}
