import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CampaignView, VersionView } from '@consilium/shared/wire';
import { shiftOf } from '../../deploy/src/simulate/light-trainer.js';
import { type LightFederation, patchesOf } from './light-federation.js';

// Of its own name, for a test runner's sandbox looks Math up anew, and slowly, each time.
const { fround } = Math;

/** FedBuff's default discount: the weight of an update that is t versions old is multiplied by (1 + t) to the power of minus this. */
const STALENESS_EXPONENT = 0.5;

/** An update that counts in a round: whose, and the number of the version from which it was trained. */
export interface Counted {
  readonly site: number;
  readonly base: number;
}

/**
 * Whether the campaign's last version holds the bytes that follow from version 1 and from who counted in each round: written down
 * once more, in 64 bits, in the order of the sites, of one site the older update first.
 */
export async function isAverageOf(
  federation: LightFederation,
  { name, initialVersion, version }: CampaignView,
  rounds: readonly (readonly Counted[])[],
): Promise<boolean> {
  const first = await weightsOf(federation, name, initialVersion);
  const versions = [first];
  for (const counted of rounds) versions.push(nextOf(versions, counted));
  const last = await weightsOf(federation, name, version);
  const expected = versions.at(-1) ?? first;
  return version.number === rounds.length + 1 && asBytes(expected).equals(asBytes(last));
}

/** Updates trained from the version that the round began with. */
export function fresh(round: number, sites: readonly number[]): Counted[] {
  return sites.map((site) => ({ site, base: round }));
}

function nextOf(versions: readonly Float32Array[], counted: readonly Counted[]): Float32Array {
  const present = versions.at(-1) ?? new Float32Array();
  const terms = counted.map(({ site, base }) => ({
    shift: shiftOf(site),
    base: versions[base - 1] ?? new Float32Array(),
    weight: patchesOf(site) * (1 + versions.length - base) ** -STALENESS_EXPONENT,
  }));
  const divisor = counted.reduce((sum, { site }) => sum + patchesOf(site), 0);
  return present.map((value, i) => {
    let sum = 0;
    for (const { shift, base, weight } of terms) {
      const from = base[i] as number;
      sum += weight * fround(fround(from + shift) - from);
    }
    return value + sum / divisor;
  });
}

async function weightsOf(federation: LightFederation, campaign: string, { number, digest }: VersionView): Promise<Float32Array> {
  const path = join(federation.folder, `version-${number}.safetensors`);
  await federation.coordinator.operator().download(`/api/campaigns/${campaign}/versions/${number}/content`, digest, path);
  const bytes = readFileSync(path);
  const start = 8 + Number(bytes.readBigUInt64LE());
  return new Float32Array(Uint8Array.from(bytes.subarray(start)).buffer);
}

function asBytes({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
