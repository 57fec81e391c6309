import { type GroupScore, type ProbeScore, VOXEL_TREATMENTS } from './reports.js';

/** Up to this skill a model is no better than a constant, or hardly: a grey value of each patch's own reaches more. */
export const LEAST_SKILL = 0.1;

export const NOT_LEARNED = 'has not learned yet: no better than a constant grey';

export type Learning = 'no' | 'partly' | 'yes';

type TellingScore = Pick<ProbeScore, 'skill' | 'groups'>;

/**
 * Whether the probe as a whole is restored clearly better than by a constant; `partly` when only voxels of one modality or of one
 * treatment are, each beside the best constant of its own.
 */
export function learningOf(score: TellingScore): Learning {
  if (score.skill > LEAST_SKILL) return 'yes';
  return learnedGroups(score).length > 0 ? 'partly' : 'no';
}

/** In plain words, what a skill says of a model that has not learned all of its objective; undefined for one that has. */
export function learningWords(score: TellingScore): string | undefined {
  switch (learningOf(score)) {
    case 'yes':
      return undefined;
    case 'partly':
      return `has learned little yet: better than a constant grey only for ${learnedGroups(score).map(nameOf).join(', ')}`;
    case 'no':
      return NOT_LEARNED;
  }
}

/**
 * "0.412 (CT 0.45, MR 0.31; untouched 0.93, remapped 0.22, in-painted 0.41, out-painted 0.12)", and in plain words when little or
 * nothing has been learnt. Groups that the probe has no voxel of, or that an older site does not tell, are left out.
 */
export function describeSkill(score: TellingScore): string {
  const { modalities, treatments } = plainGroups(score);
  const lists = [modalities, treatments].filter((list) => list.length > 0).map(listSkills);
  const apart = lists.length === 0 ? '' : ` (${lists.join('; ')})`;
  const words = learningWords(score);
  return `${score.skill.toFixed(3)}${apart}${words === undefined ? '' : `, ${words}`}`;
}

/** The groups of one modality, and those of one treatment in their order. */
function plainGroups({ groups = [] }: TellingScore): Record<'modalities' | 'treatments', readonly GroupScore[]> {
  return {
    modalities: groups.filter(({ treatment }) => treatment === undefined),
    treatments: VOXEL_TREATMENTS.flatMap((treatment) =>
      groups.filter((group) => group.modality === undefined && group.treatment === treatment),
    ),
  };
}

function learnedGroups(score: TellingScore): readonly GroupScore[] {
  const { modalities, treatments } = plainGroups(score);
  return [...modalities, ...treatments].filter(({ skill }) => skill > LEAST_SKILL);
}

function nameOf({ modality, treatment }: GroupScore): string {
  return modality ?? `${treatment} voxels`;
}

function listSkills(groups: readonly GroupScore[]): string {
  return groups.map(({ modality, treatment, skill }) => `${modality ?? treatment} ${skill.toFixed(2)}`).join(', ');
}
