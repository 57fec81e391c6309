/** PostgreSQL in the place of the SQLite file: one connection, and on it the lock that keeps a second coordinator out. */
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { FederationError } from '@consilium/shared/kernel';
import pg from 'pg';
import { parseIntoClientConfig } from 'pg-connection-string';

/** Looks the account up in ~/.pgpass, or in the file that PGPASSFILE names; undefined when it is not there. */
type ReadPasswordFile = (account: object, done: (password: string | undefined) => void) => void;
const readPasswordFile = createRequire(import.meta.url)('pgpass') as ReadPasswordFile;

/** Names the records of a coordinator among the advisory locks of a database; any number that stays the same. */
const LOCK_KEY = '7340190526118301';
/** The session of a coordinator that was killed may live for a moment. */
const LOCK_WAIT_MS = 5_000;
const CONNECT_TIMEOUT_MS = 10_000;
/** A coordinator whose machine is gone holds the lock until the server has noticed. */
const KEEPALIVE = '-c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3';

export function isPostgresUrl(place: string): boolean {
  return /^postgres(ql)?:\/\//.test(place);
}

/** The same address without its password, for people. */
export function withoutPassword(url: string): string {
  const shown = new URL(url);
  if (shown.password !== '') shown.password = '***';
  return shown.href;
}

/**
 * A pool of one connection that is never given up: transactions are queued anyway ({@link UnitOfWork}), and the lock belongs to the
 * session that writes. So a coordinator that has lost its connection can write again only after it has got the lock again.
 */
export function postgresOptions(url: string, { takesLock = true } = {}) {
  return {
    type: 'postgres' as const,
    driver: pg,
    applicationName: 'consilium-coordinator',
    poolSize: 1,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    installExtensions: false,
    // A connection that breaks while idle: the next transaction opens another one, and tells what is wrong if it cannot.
    poolErrorHandler: () => undefined,
    extra: {
      ...accessOf(url),
      idleTimeoutMillis: 0,
      keepAlive: true,
      options: KEEPALIVE,
      ...(takesLock && { onConnect: takeLock }),
    },
  };
}

/** Address and account; the password of an address without one is looked up when it is asked for. */
function accessOf(url: string): pg.ClientConfig {
  const access = parseIntoClientConfig(url);
  const { host, port, database, user } = access;
  const fromFile = (): Promise<string> =>
    new Promise((resolve) => readPasswordFile({ host, port, database, user }, (password) => resolve(password ?? '')));
  return typeof access.password === 'string' && access.password !== '' ? access : { ...access, password: fromFile };
}

/** COORDINATOR_ALREADY_RUNNING when another session keeps the lock. */
async function takeLock(client: pg.ClientBase): Promise<void> {
  const untilMs = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    const { rows } = await client.query<{ held: boolean }>('SELECT pg_try_advisory_lock($1) AS held', [LOCK_KEY]);
    if (rows[0]?.held === true) return;
    if (Date.now() > untilMs) {
      throw new FederationError('COORDINATOR_ALREADY_RUNNING', 'another coordinator works on this database', {
        remedy: 'Stop it first, or give this one a database of its own.',
      });
    }
    await sleep(250);
  }
}
