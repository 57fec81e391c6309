import { FederationError, Random } from '@consilium/shared/kernel';
import type { IndexedVolume } from '../volumes/indexed-volume.js';
import type { PretrainRecipe } from './pretrain-recipe.js';

type SplitVolume = Pick<IndexedVolume, 'digest' | 'files' | 'patient' | 'modality'>;

/** Draws that are made until one holds out a volume of each modality. */
const MOST_DRAWS = 100;

export interface VolumeSplit<Volume> {
  readonly train: readonly Volume[];
  readonly validation: readonly Volume[];
}

/**
 * Holds volumes out for validation: those that the recipe names, or a share drawn by the recipe's seed. Volumes of one patient,
 * where the index knows, and equal voxels stay on one side, so a share is met as nearly as whole patients allow; where it can be,
 * each modality is held out and trained on. Depends on the volumes' digests alone, not on their order. Throws RECIPE_INVALID when a
 * named volume is not there, or when nothing is left to train on.
 */
export function splitVolumes<Volume extends SplitVolume>(
  volumes: readonly Volume[],
  { validation, seed }: Pick<PretrainRecipe, 'validation' | 'seed'>,
): VolumeSplit<Volume> {
  const held =
    validation.volumes === undefined ? drawPatients(volumes, validation.share, seed) : named(volumes, validation.volumes);
  const train = volumes.filter((volume) => !held.has(volume.digest));
  if (train.length === 0 && volumes.length > 0) {
    throw invalid(
      'validation',
      'every volume is held out: nothing is left to train on',
      'Hold fewer volumes out, or index more scans.',
    );
  }
  return { train, validation: volumes.filter((volume) => held.has(volume.digest)) };
}

/** The first of the seed's draws that leaves no modality to one side, or the first of all where none does. */
function drawPatients(volumes: readonly SplitVolume[], share: number, seed: number): Set<string> {
  const patients = new Map<string, SplitVolume[]>();
  for (const volume of [...volumes].sort(byDigest)) {
    const key = volume.patient ?? volume.digest;
    patients.set(key, [...(patients.get(key) ?? []), volume]);
  }
  const most = Math.round(share * volumes.length);
  const drawOf = (number: number): Set<string> => {
    const stream = number === 0 ? `${seed}/validation-volumes` : `${seed}/validation-volumes/${number}`;
    // Patients come in the order of their first digest: a salted hash of a patient's name differs from site folder to site folder.
    return firstThatFit(new Random(stream).shuffle([...patients.values()]), most);
  };
  const first = drawOf(0);
  if (most < new Set(volumes.map(({ modality }) => modality)).size) return first;
  for (let number = 0, held = first; number < MOST_DRAWS; held = drawOf(++number))
    if (hasAllOnBothSides(volumes, held)) return held;
  return first;
}

function firstThatFit(patients: readonly (readonly SplitVolume[])[], most: number): Set<string> {
  const held = new Set<string>();
  let left = most;
  for (const group of patients) {
    if (group.length > left) continue;
    for (const { digest } of group) held.add(digest);
    left -= group.length;
  }
  return held;
}

function hasAllOnBothSides(volumes: readonly SplitVolume[], held: ReadonlySet<string>): boolean {
  const sides = volumes.map(({ modality, digest }) => `${modality} ${held.has(digest)}`);
  return new Set(sides).size === 2 * new Set(volumes.map(({ modality }) => modality)).size;
}

function named(volumes: readonly SplitVolume[], names: readonly string[]): Set<string> {
  const held = new Set<string>();
  names.forEach((name, index) => {
    const found = volumes.filter(({ files }) => files.some(({ path }) => path === name || path.endsWith(`/${name}`)));
    if (found.length === 0) {
      throw invalid(
        `validation.volumes.${index}`,
        `no volume of the collection comes from ${name}`,
        'Name files as "site-agent index" lists them.',
      );
    }
    for (const { digest } of found) held.add(digest);
  });
  return held;
}

function byDigest(a: SplitVolume, b: SplitVolume): number {
  return a.digest < b.digest ? -1 : a.digest > b.digest ? 1 : 0;
}

function invalid(field: string, message: string, remedy: string): FederationError {
  return new FederationError('RECIPE_INVALID', `${field}: ${message}`, { details: { field }, remedy });
}
