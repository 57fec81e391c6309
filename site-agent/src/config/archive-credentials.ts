import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';

export const PASSWORD_VARIABLE = 'CONSILIUM_DICOMWEB_PASSWORD';
export const TOKEN_VARIABLE = 'CONSILIUM_DICOMWEB_TOKEN';

export interface CredentialSources {
  readonly user?: string | undefined;
  readonly passwordFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * The Authorization header for an archive (PACS), undefined when nothing is given: a user's with the password from a file or
 * the environment, else that of a token from a file or the environment. Secrets stand on no command line, where others of the
 * machine could read them. ARGUMENT_INVALID when something is missing or contradicts itself.
 */
export function archiveAuthorization({
  user,
  passwordFile,
  tokenFile,
  environment = process.env,
}: CredentialSources): string | undefined {
  if (user !== undefined && tokenFile !== undefined) throw wrong('a user and a token are given', 'Give one of them.');
  if (user === undefined && passwordFile !== undefined)
    throw wrong('a password is given, but no user', 'Add --dicomweb-user NAME.');
  if (user !== undefined) return basic(user, secretOf(passwordFile, environment[PASSWORD_VARIABLE]));
  const token = secretOf(tokenFile, environment[TOKEN_VARIABLE]);
  if (token === undefined) return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return `Bearer ${token}`;
  throw wrong('the token holds characters that no token has', 'Check its file: one line with the token alone.');
}

function basic(user: string, password: string | undefined): string {
  if (user === '' || user.includes(':')) throw wrong('the user’s name is empty or holds a colon', 'Check --dicomweb-user.');
  if (password === undefined) {
    throw wrong('a user is given, but no password', `Add --dicomweb-password-file FILE, or set ${PASSWORD_VARIABLE}.`);
  }
  return `Basic ${Buffer.from(`${user}:${password}`, 'utf8').toString('base64')}`;
}

function secretOf(file: string | undefined, variable: string | undefined): string | undefined {
  if (file === undefined) return variable === '' ? undefined : variable;
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new FederationError('ARGUMENT_INVALID', `${file} cannot be read`, {
      cause,
      remedy: 'Name a file that this user may read.',
    });
  }
  if (text === '') throw wrong(`${file} is empty`, 'It holds the secret, on one line.');
  return text;
}

function wrong(message: string, remedy: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', message, { remedy });
}
