/** What can be wrong with a coordinator's machine, one function a line. None of them changes anything. */
import { accessSync, constants, existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { FederationError, formatBytes, isLoopbackHost } from '@consilium/shared/kernel';
import type { Check } from '@consilium/shared/terminal';
import { DataSource } from 'typeorm';
import { S3Bucket } from '../blobs/s3-bucket.js';
import type { CoordinatorConfig } from '../config/coordinator-config.js';
import { runningCoordinatorSchema, trustedWith } from '../config/operator-access.js';
import type { HomeFolder } from '../home/home-folder.js';
import { readCertificate } from '../live/certificate.js';
import { MIGRATIONS, visitorOptions } from '../records/data-source.js';
import { withoutPassword } from '../records/postgres.js';
import { unreachable } from './operator-link.js';
import { trustingFetch } from './trusting-fetch.js';

const LITTLE_DISK_BYTES = 20 * 2 ** 30;
const TOO_LITTLE_DISK_BYTES = 2 ** 30;
const SOON_MS = 21 * 86_400_000;
const PATIENCE_MS = 5_000;

export function checkHome({ path, operatorTokenFile }: HomeFolder): Check {
  const name = 'folder';
  const there = nearestExisting(path);
  try {
    accessSync(there, constants.W_OK | constants.X_OK);
  } catch {
    const remedy = 'Change its owner, or name another folder with --home.';
    return { name, status: 'failed', finding: `${there} may not be written`, remedy, code: 'FOLDER_MISSING' };
  }
  if (there !== path) return ok(name, `${path} (made at the first start)`);
  const open = [path, operatorTokenFile].filter((one) => existsSync(one) && (statSync(one).mode & 0o077) !== 0);
  if (open.length === 0) return ok(name, `${path}, closed to other users`);
  const remedy = `Close it: chmod -R go= ${path}`;
  return { name, status: 'warning', finding: `${open.join(' and ')} can be read by other users`, remedy };
}

export function checkDisk({ path }: HomeFolder, freeBytes = freeBytesAt(nearestExisting(path))): Check {
  const name = 'disk';
  const finding = `${formatBytes(freeBytes)} free`;
  if (freeBytes >= LITTLE_DISK_BYTES) return ok(name, finding);
  const remedy =
    'Updates and versions are kept: free some space, or let them lie in an object store (blobs in coordinator.yaml).';
  if (freeBytes >= TOO_LITTLE_DISK_BYTES) return { name, status: 'warning', finding, remedy };
  return { name, status: 'failed', finding, remedy, code: 'DISK_FULL' };
}

/** The database is opened, looked at and closed; nothing is brought up to date. */
export async function checkRecords({ database }: CoordinatorConfig, home: HomeFolder): Promise<Check> {
  const name = 'records';
  const place = database === undefined ? home.databaseFile : withoutPassword(database);
  if (database === undefined && !existsSync(home.databaseFile)) return ok(name, `${place} (made at the first start)`);
  try {
    const source = new DataSource(visitorOptions(database ?? home.databaseFile));
    await source.initialize();
    try {
      const missing = await migrationsToCome(source);
      if (missing === MIGRATIONS.length) return ok(name, `${place}, empty`);
      return ok(name, missing === 0 ? place : `${place}, ${missing} changes of tables to come at the next start`);
    } finally {
      await source.destroy();
    }
  } catch (cause) {
    const { message, remedy, code } = FederationError.from(cause, 'STORAGE_FAILED');
    const help = remedy ?? 'Check the address and the account (database in coordinator.yaml), and that the server runs.';
    return { name, status: 'failed', finding: `${place}: ${message}`, remedy: help, code };
  }
}

export async function checkWeights({ blobs: { bucket } }: CoordinatorConfig, home: HomeFolder): Promise<Check> {
  const name = 'weight files';
  if (bucket === undefined) return ok(name, home.blobs);
  const store = new S3Bucket(bucket);
  try {
    await store.requireUsable();
    return ok(name, `bucket ${bucket.bucket}${bucket.endpoint === undefined ? '' : ` at ${bucket.endpoint}`}`);
  } catch (cause) {
    return failed(name, cause);
  } finally {
    store.close();
  }
}

/** Whether others can listen in, and until when the certificate is valid. */
export function checkLine({ host, tls, plainHttp, publicUrl }: CoordinatorConfig, nowMs: number): Check {
  const name = 'line';
  if (tls === undefined) return checkPlainLine({ host, plainHttp, publicUrl });
  try {
    const { name: madeOutTo, validUntilMs } = readCertificate(tls, nowMs);
    const finding = `TLS, certificate of ${madeOutTo ?? 'addresses only'}, valid until ${new Date(validUntilMs).toISOString().slice(0, 10)}`;
    if (validUntilMs - nowMs >= SOON_MS) return ok(name, finding);
    const remedy = 'Renew it soon: replace both files, and it is taken into use without a restart.';
    return { name, status: 'warning', finding, remedy };
  } catch (cause) {
    return failed(name, cause);
  }
}

function checkPlainLine({ host, plainHttp, publicUrl }: Pick<CoordinatorConfig, 'host' | 'plainHttp' | 'publicUrl'>): Check {
  const name = 'line';
  if (isLoopbackHost(host)) {
    const remedy = 'For sites on other machines: host: 0.0.0.0 with tlsCertificate and tlsKey, or a proxy that ends TLS.';
    return publicUrl?.startsWith('https:') === true
      ? ok(name, `a proxy ends TLS at ${publicUrl}`)
      : { name, status: 'warning', finding: 'this machine only', remedy };
  }
  if (!plainHttp) {
    const remedy = 'Name tlsCertificate and tlsKey; or say "plainHttp: true" where a proxy in front of it ends TLS.';
    return { name, status: 'failed', finding: `${host} without TLS: it would not start`, remedy, code: 'CONFIG_INVALID' };
  }
  if (publicUrl?.startsWith('https:') === true) return ok(name, `a proxy ends TLS at ${publicUrl}`);
  const remedy = 'Name the proxy’s address with publicUrl: https://…; without a proxy, use tlsCertificate and tlsKey.';
  return { name, status: 'warning', finding: 'plain HTTP that others can reach', remedy };
}

/** Whether what is written down as running answers, here and at the address that sites use. */
export async function checkRunning({ publicUrl, authority }: CoordinatorConfig, home: HomeFolder): Promise<Check> {
  const name = 'coordinator';
  const url = publicUrl ?? runningUrl(home);
  if (url === undefined) return ok(name, 'not running');
  try {
    const ask = trustingFetch(trustedWith(authority));
    const response = await ask(`${url.replace(/\/+$/, '')}/readyz`, { signal: AbortSignal.timeout(PATIENCE_MS) });
    await response.body?.cancel();
    if (response.ok) return ok(name, `${url} answers and is ready`);
    const remedy = 'Look at the log of the coordinator: its database does not answer it.';
    return { name, status: 'failed', finding: `${url} is not ready (HTTP ${response.status})`, remedy, code: 'STORAGE_FAILED' };
  } catch (cause) {
    const { message: finding, remedy, code } = cause instanceof FederationError ? cause : unreachable(url, cause);
    return { name, status: 'warning', finding, remedy, code };
  }
}

async function migrationsToCome(source: DataSource): Promise<number> {
  const runner = source.createQueryRunner();
  try {
    if (!(await runner.hasTable('migrations'))) return MIGRATIONS.length;
    const done = (await runner.query('SELECT "name" FROM "migrations"')) as unknown[];
    return MIGRATIONS.length - done.length;
  } finally {
    await runner.release();
  }
}

function runningUrl({ stateFile }: HomeFolder): string | undefined {
  if (!existsSync(stateFile)) return undefined;
  return runningCoordinatorSchema.parse(JSON.parse(readFileSync(stateFile, 'utf8'))).url;
}

function ok(name: string, finding: string): Check {
  return { name, status: 'ok', finding };
}

function failed(name: string, cause: unknown): Check {
  const { message, remedy, code } = FederationError.from(cause);
  return { name, status: 'failed', finding: message, remedy, code };
}

function nearestExisting(path: string): string {
  return existsSync(path) ? path : nearestExisting(dirname(path));
}

function freeBytesAt(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
