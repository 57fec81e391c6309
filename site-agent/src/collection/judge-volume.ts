import { FederationError } from '@consilium/shared/kernel';
import type { IntensityStatistics } from '../volumes/intensity-statistics.js';
import { decideModality } from '../volumes/modality.js';
import type { Modality, Volume } from '../volumes/volume.js';
import { reasonOf } from '../volumes/volume-fault.js';

/** Shorter than this along an axis, a volume holds no useful 3D patch. */
export const SHORTEST_SIDE_VOXELS = 8;
/** With so few different values a volume is a mask, not a scan. */
const MOST_MASK_VALUES = 8;

const HOW_TO_SAY = 'If you know it, index the folder with --modality CT or --modality MR.';

/** What the values of a volume say of it. */
export interface Judgement {
  /** What a person should know although the volume reads; undefined for an ordinary one. */
  readonly remark: string | undefined;
  readonly modality: Modality | undefined;
  /** Why training leaves it out; undefined when it uses it. */
  readonly unusedBecause: string | undefined;
  readonly remedy: string | undefined;
}

/** Whether training can use a volume, and as what. `said` is the modality that its header, notes or a person states. */
export function judgeVolume(volume: Volume, statistics: IntensityStatistics, said: Modality | undefined): Judgement {
  const repaired = repairRemark(volume);
  const small = tooSmall(volume);
  if (small !== undefined) return { remark: repaired, modality: said, unusedBecause: small, remedy: undefined };
  const { minimum, maximum } = statistics;
  if (minimum === maximum) {
    const reason = `all its voxels have the same value (${minimum})`;
    return { remark: joined(repaired, reason), modality: said, unusedBecause: reason, remedy: undefined };
  }
  const mask = tooFewValues(volume);
  if (mask !== undefined) return { remark: repaired, modality: said, unusedBecause: mask, remedy: undefined };
  try {
    const modality = decideModality(volume.voxels, statistics, said, HOW_TO_SAY);
    return { remark: repaired, modality, unusedBecause: undefined, remedy: undefined };
  } catch (thrown) {
    const error = FederationError.from(thrown);
    if (error.kind !== 'volume') throw error;
    return { remark: repaired, modality: said, unusedBecause: reasonOf(error), remedy: error.remedy };
  }
}

function repairRemark({ repairedVoxels }: Volume): string | undefined {
  if (repairedVoxels === 0) return undefined;
  const [voxels, were] = repairedVoxels === 1 ? ['voxel', 'was'] : ['voxels', 'were'];
  return `${repairedVoxels} ${voxels} ${were} not finite and became the smallest value`;
}

function joined(first: string | undefined, second: string): string {
  return first === undefined ? second : `${first}; ${second}`;
}

function tooSmall({ sizeVoxels }: Volume): string | undefined {
  const shortest = Math.min(...sizeVoxels);
  if (shortest === 1) return 'a single slice, not a volume';
  if (shortest >= SHORTEST_SIDE_VOXELS) return undefined;
  return `only ${shortest} voxels along one axis (${sizeVoxels.join(' × ')}); at least ${SHORTEST_SIDE_VOXELS} are needed`;
}

function tooFewValues({ voxels }: Volume): string | undefined {
  const values = new Set<number>();
  let previous = NaN;
  for (let i = 0; i < voxels.length; i++) {
    const value = voxels[i] as number;
    if (value === previous) continue;
    values.add(value);
    if (values.size > MOST_MASK_VALUES) return undefined;
    previous = value;
  }
  return `only ${values.size} different values: this looks like a mask, not a scan`;
}
