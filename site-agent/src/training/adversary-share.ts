import { isOfPart } from '@consilium/shared/models';
import { isTrainedAtSites, type ObjectivePlan } from '@consilium/shared/wire';
import type { Modality } from '../volumes/volume.js';

/**
 * True for a site that has no part in the adversary although sites train it: with volumes of one modality its own labels say
 * nothing. It leaves the adversary out of its updates, so that the mean of those who train it is theirs alone.
 */
export function lacksAdversary(objective: ObjectivePlan, volumes: readonly { readonly modality: Modality }[]): boolean {
  return isTrainedAtSites(objective) && new Set(volumes.map(({ modality }) => modality)).size < 2;
}

/** True for the adversary's parameters. */
export function isAdversary(name: string): boolean {
  return isOfPart(name, 'adversary');
}
