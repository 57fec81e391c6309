import { FederationError } from '@consilium/shared/kernel';
import { callerViewSchema, ROLE_WORDS, type SignedIn, signedInSchema } from '@consilium/shared/wire';
import { Command } from 'commander';
import { coordinatorAddress, type OperatorAccess, trustedWith } from '../config/operator-access.js';
import { keepSession } from '../config/operator-sessions.js';
import { askPassword } from './ask-password.js';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';
import { OperatorLink } from './operator-link.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

interface SignInFlags extends Flags {
  readonly authority?: string;
  readonly passwordFile?: string;
  readonly newPassword?: boolean;
  readonly newPasswordFile?: string;
}

export function signInCommand(): Command {
  return withAccess(new Command('sign-in'))
    .description('sign in as an operator; the commands of this user then act in that name until the sign-in expires')
    .argument('<name>', 'your name as an operator')
    .option('--authority <file>', 'PEM file of the authority of its certificate, for this and later commands')
    .option('--password-file <file>', 'file with the password, "-" for the input (default: typed, unseen)')
    .option('--new-password', 'replace the password; asked for by itself at the first sign-in')
    .option('--new-password-file <file>', 'the same with the new password from a file')
    .addHelpText('after', '\nExample:\n  coordinator sign-in ada --url https://coordinator.example:7340')
    .action(async (name: string, flags: SignInFlags) => {
      const { url, authority } = coordinatorAddress(flags);
      const access = { url, token: '', authorities: trustedWith(authority) };
      const password = await askPassword(`Password of ${name}`, flags.passwordFile);
      const wantsNew = flags.newPassword === true || flags.newPasswordFile !== undefined;
      const newPassword = wantsNew ? await askNewPassword(flags.newPasswordFile) : undefined;
      const { token, role, expiresAtMs } = await signIn(access, { name, password, newPassword }, flags.newPasswordFile);
      keepSession(url, { name, token, expiresAtMs, authority });
      console.log(`Signed in as ${name} (${role}: ${ROLE_WORDS[role]}) until ${formatTime(expiresAtMs)} UTC.`);
    });
}

/** Asks for a password of the operator's own where the coordinator wants one. */
async function signIn(
  access: OperatorAccess,
  request: { readonly name: string; readonly password: string; readonly newPassword: string | undefined },
  newPasswordFile: string | undefined,
): Promise<SignedIn> {
  const link = new OperatorLink(access);
  try {
    return await link.post('/api/operator/sign-in', signedInSchema, request);
  } catch (thrown) {
    const error = FederationError.from(thrown);
    if (error.details['mustChange'] !== true || request.newPassword !== undefined) throw error;
    console.error('This was the password for the first time. Choose one of your own, of 12 characters or more.');
    const newPassword = await askNewPassword(newPasswordFile);
    return link.post('/api/operator/sign-in', signedInSchema, { ...request, newPassword });
  }
}

async function askNewPassword(file: string | undefined): Promise<string> {
  const chosen = await askPassword('New password', file);
  if (file !== undefined || chosen === (await askPassword('Once more', undefined))) return chosen;
  throw new FederationError('ARGUMENT_INVALID', 'the two are not the same', { remedy: 'Try again.' });
}

export function signOutCommand(): Command {
  return withAccess(new Command('sign-out'))
    .description('end your sign-in, here and at the coordinator')
    .addHelpText('after', '\nExample:\n  coordinator sign-out')
    .action(async (flags: Flags) => {
      const link = operatorLink(flags);
      const { name } = await link.post('/api/operator/sign-out', callerViewSchema);
      keepSession(link.url, undefined);
      console.log(name === null ? 'You were not signed in.' : `${name} is signed out.`);
    });
}

export function whoAmICommand(): Command {
  return withAccess(new Command('whoami'))
    .description('in whose name your commands act, and what they may do')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator whoami')
    .action(async (flags: Flags) => {
      const caller = await operatorLink(flags).get('/api/operator', callerViewSchema);
      if (flags.json === true) printJson(caller);
      else {
        const who = caller.name ?? "nobody by name: the token of the coordinator's folder";
        const until = caller.expiresAtMs === null ? '' : `, until ${formatTime(caller.expiresAtMs)} UTC`;
        console.log(`${who} (${caller.role}: ${ROLE_WORDS[caller.role]})${until}`);
      }
    });
}
