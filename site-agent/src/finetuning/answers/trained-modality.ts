import { unsuitable } from '../../volumes/volume-fault.js';
import type { Modality } from '../../volumes/volume.js';
import type { ScanChoice } from '../cases/case-scan.js';

/**
 * A network answers for any image, also for one of a kind that it has never seen, and its answer means nothing then. Throws
 * VOLUME_UNSUITABLE for an image of a modality that no training image had, unless a person says the modality and so wants the answer.
 */
export function requireTrainedModality(
  modality: Modality,
  said: ScanChoice['modality'],
  { trainedOn }: { readonly trainedOn?: readonly Modality[] | undefined },
): void {
  if (said !== undefined || trainedOn === undefined || trainedOn.length === 0 || trainedOn.includes(modality)) return;
  throw unsuitable(
    `it is ${modality}, and the model was trained on ${trainedOn.join(' and ')}`,
    `Say --modality ${modality} to have it answered all the same.`,
  );
}
