import { existsSync, type FSWatcher, mkdirSync, readdirSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { algorithmOf, type Digest, digitsOf } from '@consilium/shared/kernel';
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

/** Where the blob will lie; its folder is made, so that it can be watched. */
export function pathOfBlob({ blobs }: LightFederation, digest: Digest): string {
  const digits = digitsOf(digest);
  const folder = join(algorithmOf(digest) === 'sha256' ? blobs : join(blobs, algorithmOf(digest)), digits.slice(0, 2));
  mkdirSync(folder, { recursive: true });
  return join(folder, digits);
}

/** Calls back when the blob takes its name. */
export function onBlob(federation: LightFederation, digest: Digest, act: () => void): FSWatcher {
  const path = pathOfBlob(federation, digest);
  return watch(join(path, '..'), () => {
    if (existsSync(path)) act();
  });
}
