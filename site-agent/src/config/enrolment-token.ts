import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { FederationError } from '@consilium/shared/kernel';

export const ENROLMENT_TOKEN_VARIABLE = 'CONSILIUM_ENROLMENT_TOKEN';

/** The file name that stands for standard input. */
const STANDARD_INPUT = '-';

export interface TokenSources {
  /** From the command line, where others of the computer can read it. */
  readonly token?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  readonly input?: NodeJS.ReadStream;
}

/**
 * The one-time token: from a file or standard input, from the command line, from the environment, else from the person at the terminal.
 * ARGUMENT_INVALID when there is none, or two.
 */
export async function enrolmentToken(sources: TokenSources): Promise<string> {
  const { token, tokenFile, environment = process.env, input = process.stdin } = sources;
  if (token !== undefined && tokenFile !== undefined) throw wrong('the token is given twice', 'Give --token-file alone.');
  const given = token ?? environment[ENROLMENT_TOKEN_VARIABLE];
  if (tokenFile !== undefined && tokenFile !== STANDARD_INPUT) return plain(readFile(tokenFile));
  if (tokenFile === undefined && given !== undefined && given !== '') return plain(given);
  if (tokenFile === STANDARD_INPUT || input.isTTY) return plain(await firstLine(input));
  throw wrong('the token is missing', `Name a file with --token-file FILE, or give it on standard input with --token-file -.`);
}

async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  if (input.isTTY) process.stderr.write('The token that the operator gave you: ');
  const lines = createInterface({ input });
  try {
    for await (const line of lines) return line;
    return '';
  } finally {
    lines.close();
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FederationError('ARGUMENT_INVALID', `${path} cannot be read`, {
      cause,
      remedy: 'Name a file that this user may read, with the token on one line.',
    });
  }
}

/** Says nothing of what it was given instead. */
function plain(text: string): string {
  const token = text.trim();
  if (/^[\x21-\x7e]{1,256}$/.test(token)) return token;
  throw wrong('what was given is no token', 'It is one word on one line, as "coordinator site enrol" prints it.');
}

function wrong(message: string, remedy: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', message, { remedy });
}
