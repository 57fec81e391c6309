import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';

const sessionSchema = z.object({
  name: z.string(),
  token: z.string(),
  expiresAtMs: z.number(),
  /** PEM file of the authority that the sign-in named. */
  authority: z.string().optional(),
});
const sessionsSchema = z.record(z.string(), sessionSchema);
/** What a sign-in has left on the operator's own machine. */
export type OperatorSession = z.infer<typeof sessionSchema>;

/** Where sign-ins are kept: CONSILIUM_OPERATOR_SESSIONS, else in the user's folder of settings. */
export function sessionsFile(environment: Readonly<Record<string, string | undefined>> = process.env): string {
  const settings = environment['XDG_CONFIG_HOME'] ?? join(homedir(), '.config');
  return environment['CONSILIUM_OPERATOR_SESSIONS'] ?? join(settings, 'consilium', 'operator-sessions.json');
}

/** The sign-in at this address; undefined when there is none or it has expired. */
export function sessionAt(url: string, nowMs = Date.now()): OperatorSession | undefined {
  const session = readSessions()[url];
  return session !== undefined && session.expiresAtMs > nowMs ? session : undefined;
}

/** Keeps the sign-in for later commands, in a file for its owner only; undefined forgets it. */
export function keepSession(url: string, session: OperatorSession | undefined): void {
  const file = sessionsFile();
  const others = Object.entries(readSessions()).filter(([at, { expiresAtMs }]) => at !== url && expiresAtMs > Date.now());
  const sessions = Object.fromEntries(session === undefined ? others : [...others, [url, session]]);
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const temporary = `${file}.${process.pid}.partial`;
    writeFileSync(temporary, `${JSON.stringify(sessions, null, 2)}\n`, { mode: 0o600 });
    chmodSync(temporary, 0o600);
    renameSync(temporary, file);
  } catch (cause) {
    throw new FederationError('FOLDER_MISSING', `the sign-in cannot be kept in ${file}`, {
      cause,
      remedy: 'Make its folder writable, or name another file with CONSILIUM_OPERATOR_SESSIONS.',
    });
  }
}

function readSessions(): z.infer<typeof sessionsSchema> {
  try {
    return sessionsSchema.parse(JSON.parse(readFileSync(sessionsFile(), 'utf8')));
  } catch {
    return {}; // none yet, or of no use: the next sign-in writes it anew
  }
}
