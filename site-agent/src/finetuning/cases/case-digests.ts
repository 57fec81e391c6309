import type { Digest } from '@consilium/shared/kernel';
import type { FinetuneTask } from '../tasks/finetune-task.js';
import { scanKey } from './case-scan.js';
import { digestOfImage, digestOfLabel } from './load-cases.js';

type AnyCase = FinetuneTask['cases']['train'][number];

/** What each case holds; `images` spares reading one that has several patches twice. Errors as in `loadCases`. */
export async function digestsOfCases(
  cases: readonly AnyCase[],
  images = new Map<string, Digest>(),
): Promise<(string | number)[][]> {
  const digests: (string | number)[][] = [];
  for (const entry of cases) {
    const key = scanKey(entry);
    const image = images.get(key) ?? (await digestOfImage(entry));
    images.set(key, image);
    const rest = 'label' in entry ? [await digestOfLabel(entry.label)] : [entry.classIndex, ...(entry.centre ?? [])];
    digests.push([image, ...(entry.modality === undefined ? [] : [entry.modality]), ...rest]);
  }
  return digests;
}
