import { type GroupScore, type ProbeScore, VOXEL_TREATMENTS } from './reports.js';

/** Up to this skill a model is no better than a constant, or hardly: a grey value of each patch's own reaches more. */
export const LEAST_SKILL = 0.1;

export const NOT_LEARNED = 'has not learned yet: no better than a constant grey';

/** Whether any group of voxels is restored clearly better than by the best constant for that group. */
export function hasLearned({ skill, groups }: Pick<ProbeScore, 'skill' | 'groups'>): boolean {
  return [skill, ...(groups ?? []).map((group) => group.skill)].some((value) => value > LEAST_SKILL);
}

/**
 * "0.412 (CT 0.45, MR 0.31; untouched 0.93, remapped 0.22, in-painted 0.41, out-painted 0.12)", and in plain words when nothing
 * has been learnt. Groups that the probe has no voxel of, or that an older site does not tell, are left out.
 */
export function describeSkill(score: Pick<ProbeScore, 'skill' | 'groups'>): string {
  const groups = score.groups ?? [];
  const modalities = groups.filter(({ treatment }) => treatment === undefined);
  const treatments = VOXEL_TREATMENTS.flatMap((treatment) =>
    groups.filter((group) => group.modality === undefined && group.treatment === treatment),
  );
  const lists = [modalities, treatments].filter((list) => list.length > 0).map(listSkills);
  const apart = lists.length === 0 ? '' : ` (${lists.join('; ')})`;
  return `${score.skill.toFixed(3)}${apart}${hasLearned(score) ? '' : `, ${NOT_LEARNED}`}`;
}

function listSkills(groups: readonly GroupScore[]): string {
  return groups.map(({ modality, treatment, skill }) => `${modality ?? treatment} ${skill.toFixed(2)}`).join(', ');
}
