import type { OrderContext } from '../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../training/train.js';
import { readVolume } from '../volumes/read-volume.js';
import type { Volume } from '../volumes/volume.js';
import { findCaseScan, frameNote } from './case-scan.js';
import type { ClassificationCase } from './classification-task.js';
import { classifierRegion, type ClassifierRegion, type InputPlan } from './classified-image.js';
import type { ImagePlan } from './image-plan.js';
import { orNameCase } from './or-name-case.js';
import { type PreparedImage, prepareImage } from './prepare-image.js';

/** A case in memory. */
export interface LabelledImage extends ClassifierRegion {
  readonly name: string;
  readonly classIndex: number;
}

type Loading = Pick<OrderContext, 'stop' | 'report' | 'warn'>;

/** Reads the cases, each scan once; TASK_INVALID names the case and file that cannot be used. In the order of the list. */
export async function loadImages(
  cases: readonly ClassificationCase[],
  plan: ImagePlan & InputPlan,
  context: Loading,
): Promise<LabelledImage[]> {
  const scans = new Map<string, ClassificationCase[]>();
  for (const entry of cases) {
    const key = `${entry.image}#${entry.series ?? ''}#${entry.frame ?? ''}`;
    scans.set(key, [...(scans.get(key) ?? []), entry]);
  }
  const loaded = new Map<string, LabelledImage>();
  for (const members of scans.values()) {
    obeyStop(context.stop);
    for (const image of await loadScan(members, plan, context)) loaded.set(image.name, image);
    context.report('loading', loaded.size, cases.length);
    await letEventsIn();
  }
  return cases.flatMap(({ name }) => loaded.get(name) ?? []);
}

async function loadScan(
  members: readonly ClassificationCase[],
  plan: ImagePlan & InputPlan,
  context: Pick<OrderContext, 'warn'>,
): Promise<LabelledImage[]> {
  const [first] = members;
  if (first === undefined) return [];
  const { volume, prepared } = await orNameCase(first.name, 'image', first.image, () => readImage(first, plan, context));
  return Promise.all(
    members.map((entry) =>
      orNameCase(entry.name, 'image', entry.image, () => ({
        name: entry.name,
        classIndex: entry.classIndex,
        ...classifierRegion(prepared, volume.source, entry.centre, plan),
      })),
    ),
  );
}

async function readImage(
  entry: ClassificationCase,
  plan: ImagePlan,
  context: Pick<OrderContext, 'warn'>,
): Promise<{ volume: Volume; prepared: PreparedImage }> {
  const scan = await findCaseScan({ ...entry, path: entry.image });
  const note = frameNote(`case ${entry.name}: the image`, scan, entry.frame);
  if (note !== undefined) context.warn(note);
  const volume = await readVolume(scan.source);
  return { volume, prepared: prepareImage(volume, scan.modality, plan) };
}
