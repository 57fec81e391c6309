import { existsSync, type FSWatcher, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { algorithmOf, type Digest, digitsOf } from '@consilium/shared/kernel';
import type { RoundState } from '@consilium/shared/wire';
import { DataSource } from 'typeorm';
import { visitorOptions } from '../../coordinator/src/records/data-source.js';
import { Round } from '../../coordinator/src/rounds/round.entity.js';
import { type LightFederation, matches, SMALL_MODEL } from './light-federation.js';

const MODEL_BYTES = 4 * SMALL_MODEL.parameters;

/** How far an upload has come when its link is stopped. */
const MIDDLE = 0.4;

/** Kills the coordinator in the very moment in which such an event is heard; resolves when it is gone. */
export async function killCoordinatorAt(federation: LightFederation, wanted: Readonly<Record<string, unknown>>): Promise<void> {
  await atEvent(federation, wanted, () => process.kill(federation.coordinator.pid, 'SIGKILL'));
  await federation.coordinator.stop('SIGKILL');
}

/** Does it in the same turn in which such an event is heard from now on. */
export async function atEvent(
  federation: LightFederation,
  wanted: Readonly<Record<string, unknown>>,
  act: () => void,
): Promise<void> {
  let isDone = false;
  federation.onEvent = (event) => {
    if (isDone || !matches(event, wanted)) return;
    isDone = true;
    act();
  };
  await federation.until(JSON.stringify(wanted), async () => isDone);
  federation.onEvent = undefined;
}

/**
 * Stops the links of these sites in the middle of their next uploads: nothing moves, nothing ends. Resolves when the coordinator has
 * taken all that was on its way.
 */
export async function stopUploads(
  federation: LightFederation,
  sites: readonly number[],
  modelBytes = MODEL_BYTES,
  share = MIDDLE,
): Promise<void> {
  const relays = sites.map((index) => federation.relayOf(index));
  const isStopped = relays.map(() => false);
  relays.forEach((relay, place) => {
    const before = relay.bytesUp;
    relay.onUp = () => {
      if (isStopped[place] === true || relay.bytesUp - before < share * modelBytes) return;
      isStopped[place] = true;
      relay.become('silent');
    };
  });
  await federation.until('uploads under way', async () => isStopped.every(Boolean));
  for (const relay of relays) relay.onUp = undefined;
  let last = -1;
  await federation.until('the coordinator to take what was on its way', async () => {
    const now = spooledBytes(federation);
    const stands = now > 0 && now === last;
    last = now;
    await sleep(200);
    return stands;
  });
}

/** All bytes of uploads on the coordinator's disk. */
export function spooledBytes(federation: LightFederation): number {
  return [...spoolSizes(federation)].reduce((sum, size) => sum + size, 0);
}

/** What each upload on the coordinator's disk has got so far. */
export function spoolSizes({ uploads }: LightFederation): number[] {
  return readdirSync(uploads)
    .filter((name) => !name.includes('.'))
    .map((name) => statSync(join(uploads, name), { throwIfNoEntry: false })?.size ?? 0);
}

/** Names of half-written files among the blobs. */
export function partials({ blobs }: LightFederation, kind: 'fold' | 'blob'): string[] {
  return readdirSync(blobs).filter((name) => name.startsWith(`${kind}_`) && name.endsWith('.partial'));
}

/** Calls back whenever a half-written blob of that kind appears; close it to see no more. */
export function onPartial({ blobs }: LightFederation, kind: 'fold' | 'blob', act: () => void): FSWatcher {
  return watch(blobs, (_, name) => {
    if (name?.startsWith(`${kind}_`) === true && name.endsWith('.partial') && existsSync(join(blobs, name))) act();
  });
}

/** Where the blob lies, or will lie. */
export function pathOfBlob({ blobs }: LightFederation, digest: Digest): string {
  const digits = digitsOf(digest);
  const folder = join(algorithmOf(digest) === 'sha256' ? blobs : join(blobs, algorithmOf(digest)), digits.slice(0, 2));
  return join(folder, digits);
}

/** Another process's writing to the coordinator's records: while it lasts, the coordinator reads them and cannot write. */
export class RecordsLock {
  private isTaken = false;

  private constructor(private readonly database: DataSource) {}

  static async open({ coordinatorHome }: LightFederation): Promise<RecordsLock> {
    return new RecordsLock(await new DataSource(visitorOptions(join(coordinatorHome, 'coordinator.sqlite'))).initialize());
  }

  /** Waits a moment for the coordinator's own writing to end; where the lock is this one's already, it stays so. */
  async take(): Promise<void> {
    if (this.isTaken) return;
    this.isTaken = true;
    await this.database.query('BEGIN IMMEDIATE');
  }

  /** What the records say of the latest attempt at that round. */
  async stateOfRound(number: number): Promise<RoundState | undefined> {
    const round = await this.database.manager.findOne(Round, { where: { number }, order: { attempt: 'DESC' } });
    return round?.state;
  }

  /** Gives the lock back, if it was taken. */
  async close(): Promise<void> {
    if (this.isTaken) await this.database.query('ROLLBACK');
    await this.database.destroy();
  }
}
