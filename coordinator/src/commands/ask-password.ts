import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { FederationError } from '@consilium/shared/kernel';

/**
 * A password from a file ("-" for the input), else typed unseen at the terminal; never from the command line, where everybody of
 * the machine could read it. ARGUMENT_INVALID where there is neither file nor terminal.
 */
export async function askPassword(prompt: string, file: string | undefined): Promise<string> {
  if (file !== undefined) return fromFile(file);
  if (process.stdin.isTTY) return typed(prompt);
  throw new FederationError('ARGUMENT_INVALID', 'there is no terminal to type a password at', {
    remedy: 'Name a file with it (--password-file FILE), or give it on the input (--password-file -).',
  });
}

function fromFile(file: string): string {
  try {
    const text = readFileSync(file === '-' ? process.stdin.fd : file, 'utf8').replace(/\r?\n$/, '');
    if (text !== '') return text;
  } catch (cause) {
    throw unusable(file, cause);
  }
  throw unusable(file);
}

function unusable(file: string, cause?: unknown): FederationError {
  return new FederationError('ARGUMENT_INVALID', `${file === '-' ? 'the input' : file} holds no password`, {
    cause,
    remedy: 'It holds the password, on one line.',
  });
}

async function typed(prompt: string): Promise<string> {
  process.stderr.write(`${prompt}: `);
  // Echoes nothing of what is typed.
  const nowhere = new Writable({ write: (...[, , done]) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  try {
    return await new Promise<string>((resolve, reject) => {
      lines.once('line', resolve);
      lines.once('SIGINT', () => reject(new FederationError('ARGUMENT_INVALID', 'no password was given')));
      lines.once('close', () => reject(new FederationError('ARGUMENT_INVALID', 'no password was given')));
    });
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}
