import type { GenesisObjective } from '@consilium/shared/wire';
import type { GenesisParameters } from '../transforms/compose.js';
import type { Modality } from '../volumes/volume.js';

/**
 * The transforms of one pair: those of the objective, of the curriculum's stage at this share of all steps, and of the patch's
 * modality; the last that names a field counts. Without a share, as for a probe, the curriculum is over.
 */
export function transformsOf(
  { transforms, curriculum }: Pick<GenesisObjective, 'transforms' | 'curriculum'>,
  modality: Modality,
  progress: number | undefined,
): GenesisParameters {
  const { byModality: always, ...plain } = transforms;
  const stage = progress === undefined ? undefined : curriculum?.find(({ until }) => progress < until);
  const { byModality: staged, ...changes } = stage ?? {};
  return { ...plain, ...always?.[modality], ...changes, ...staged?.[modality] };
}
