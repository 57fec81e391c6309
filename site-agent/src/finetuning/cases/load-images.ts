import type { OrderContext } from '../../trainer/order-context.js';
import { letEventsIn, obeyStop } from '../../training/train.js';
import { readVolume } from '../../volumes/read-volume.js';
import type { Modality, Volume } from '../../volumes/volume.js';
import { choiceOf, findCaseScan, frameNote, scanKey } from './case-scan.js';
import type { ClassificationCase } from '../tasks/classification-task.js';
import { classifierRegion, type ClassifierRegion, type InputPlan } from './classified-image.js';
import type { ImagePlan } from '../tasks/image-plan.js';
import { orNameCase } from './or-name-case.js';
import { type PreparedImage, prepareImage } from './prepare-image.js';

/** A case in memory. */
export interface LabelledImage extends ClassifierRegion {
  readonly name: string;
  readonly classIndex: number;
  readonly modality: Modality;
}

type Loading = Pick<OrderContext, 'stop' | 'report' | 'warn'>;

/** Reads the cases, each scan once; TASK_INVALID names the case and file that cannot be used. In the order of the list. */
export async function loadImages(
  cases: readonly ClassificationCase[],
  plan: ImagePlan & InputPlan,
  context: Loading,
): Promise<LabelledImage[]> {
  const loaded = new Map<string, LabelledImage>();
  for (const members of groupByScan(cases)) {
    obeyStop(context.stop);
    for (const image of await loadScan(members, plan, context)) loaded.set(image.name, image);
    context.report('loading', loaded.size, cases.length);
    await letEventsIn();
  }
  return cases.flatMap(({ name }) => loaded.get(name) ?? []);
}

/** The cases in groups that read the same volume in the same way, in the order of the list. */
export function groupByScan(cases: readonly ClassificationCase[]): ClassificationCase[][] {
  const scans = new Map<string, ClassificationCase[]>();
  for (const entry of cases) {
    const key = scanKey(entry);
    scans.set(key, [...(scans.get(key) ?? []), entry]);
  }
  return [...scans.values()];
}

async function loadScan(
  members: readonly ClassificationCase[],
  plan: ImagePlan & InputPlan,
  context: Pick<OrderContext, 'warn'>,
): Promise<LabelledImage[]> {
  const [first] = members;
  if (first === undefined) return [];
  const image = await readImage(first, plan, context);
  return Promise.all(members.map((entry) => cutCase(entry, image, plan)));
}

/** What the network sees of a case. Errors as in {@link loadImages}. */
export function cutCase(entry: ClassificationCase, { volume, prepared }: ReadImage, plan: InputPlan): Promise<LabelledImage> {
  return orNameCase(entry.name, 'image', entry.image, () => ({
    name: entry.name,
    classIndex: entry.classIndex,
    modality: prepared.modality,
    ...classifierRegion(prepared, volume.source, entry.centre, plan),
  }));
}

/** The scan of a case, as it is stored (but for its voxels, which were overwritten) and as it was prepared. */
export interface ReadImage {
  readonly volume: Volume;
  readonly prepared: PreparedImage;
}

/** Reads the scan of a case. Errors as in {@link loadImages}. */
export function readImage(entry: ClassificationCase, plan: ImagePlan, context: Pick<OrderContext, 'warn'>): Promise<ReadImage> {
  return orNameCase(entry.name, 'image', entry.image, () => readScan(entry, plan, context));
}

async function readScan(entry: ClassificationCase, plan: ImagePlan, context: Pick<OrderContext, 'warn'>): Promise<ReadImage> {
  const scan = await findCaseScan(choiceOf(entry));
  const note = frameNote(`case ${entry.name}: the image`, scan, entry.frame);
  if (note !== undefined) context.warn(note);
  const volume = await readVolume(scan.source);
  return { volume, prepared: prepareImage(volume, scan.modality, plan) };
}
