import type { GenesisObjective, GenesisTransforms } from '@consilium/shared/wire';
import type { Modality } from '../volumes/volume.js';

/**
 * The transforms of one pair: those of the objective, of the curriculum's stage at this share of all steps, and of the patch's
 * modality; the last that names a field counts. Without a share, as for a probe, the curriculum is over.
 */
export function transformsOf(
  { transforms, curriculum }: GenesisObjective,
  modality: Modality,
  progress: number | undefined,
): Omit<GenesisTransforms, 'byModality'> {
  const { byModality: always, ...plain } = transforms;
  const stage = progress === undefined ? undefined : curriculum?.find(({ until }) => progress < until);
  if (stage === undefined) return { ...plain, ...always?.[modality] };
  const { until: _until, byModality: staged, ...changes } = stage;
  return { ...plain, ...always?.[modality], ...changes, ...staged?.[modality] };
}
