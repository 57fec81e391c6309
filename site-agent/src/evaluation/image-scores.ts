/** What a classifier says of images that nobody has labelled. */
import { formatTable } from '@consilium/shared/terminal';
import type { ClassifiedImage, SegmentedImage } from '../trainer/trainer-messages.js';
import { mostProbable } from './classification-report.js';
import { csvTable } from './csv.js';

export interface ImageScores {
  readonly classNames: readonly string[];
  readonly images: readonly ClassifiedImage[];
}

/** scores.csv: each image with its most probable class and the probability of each; images that could not be used are left out. */
export function formatScores({ classNames, images }: ImageScores): string {
  const rows = scored(images).map(({ name, probabilities }) => [
    name,
    classNames[mostProbable(probabilities)] ?? '',
    ...probabilities,
  ]);
  return csvTable(['image', 'predicted', ...classNames.map((name) => `probability_${name}`)], rows);
}

/** The same for people, with those that could not be used and why. */
export function describeScores({ classNames, images }: ImageScores, path: string): string {
  const rows = scored(images).map(({ name, probabilities }) => [
    name,
    classNames[mostProbable(probabilities)] ?? '',
    ...probabilities.map((probability) => probability.toFixed(3)),
  ]);
  const align = [undefined, undefined, ...classNames.map(() => 'right' as const)];
  const table =
    rows.length === 0 ? [] : [formatTable(['image', 'predicted', ...classNames], rows, { align }), '', `scores  ${path}`];
  return [...table, ...describeRefused(images)].join('\n');
}

/** A line for each image that could not be used, and below those with one remedy the remedy. */
export function describeRefused(images: readonly (ClassifiedImage | SegmentedImage)[]): string[] {
  const refused = images.flatMap((image) => ('refused' in image ? [image] : []));
  return refused.flatMap(({ name, refused: { message, remedy } }, index) => {
    const line = `${name} not used: ${message}`;
    return remedy === undefined || refused[index + 1]?.refused.remedy === remedy ? [line] : [line, `  ${remedy}`];
  });
}

function scored(images: readonly ClassifiedImage[]) {
  return images.flatMap((image) => ('refused' in image ? [] : [image]));
}
