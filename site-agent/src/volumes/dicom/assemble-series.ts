import { type Arrangement, arrangePlanes } from './arrange-planes.js';
import { describeStack, pairReason, refuseFiles, refusePlanes } from './describe-stack.js';
import type { DicomFacts } from './dicom-facts.js';
import { placePlanes } from './place-planes.js';
import type { LeftOutFile, ReadableStack, RefusedStack, SeriesAssembly, SeriesStack } from './series-stack.js';
import { ACQUISITIONS, IMAGE_TYPE, type PlaneGroup, splitBy, splitByGeometry } from './split-stacks.js';

/** Fewer slices prove no even spacing, so a part of a broken stack needs at least these. */
const PROVING_SLICES = 3;

/**
 * The volumes that image files form. Files of one series are expected; those of several series, examinations or patients are
 * assembled apart. Planes are sorted by their position along the normal, never by number or name, and parted only where they
 * differ in geometry or where they form no volume together. What cannot be stacked truthfully is refused with the reason:
 * missing slices, uneven spacing, a tilted gantry, a single place, no stated position.
 * Rules of DICOM PS3.3 C.7.6.2 (Image Plane) and C.7.6.16 (multi-frame functional groups). Pure: reads no file.
 */
export function assembleSeries(facts: readonly DicomFacts[]): SeriesAssembly {
  const assemblies = seriesOf(facts).map(assembleOne);
  return {
    stacks: assemblies.flatMap(({ stacks }) => stacks),
    leftOut: assemblies.flatMap(({ leftOut }) => leftOut),
  };
}

/** What files of one series share. Only to be compared: it holds identifiers. */
export function seriesKey({ seriesInstance, examinationInstance, patientId }: DicomFacts): string {
  return [seriesInstance, examinationInstance, patientId ?? ''].join('\0');
}

/** Anonymised exports sometimes give series of different patients one identifier: a patient is never mixed with another. */
function seriesOf(facts: readonly DicomFacts[]): readonly (readonly DicomFacts[])[] {
  const series = new Map<string, DicomFacts[]>();
  for (const file of [...facts].sort(compareFiles)) {
    const key = seriesKey(file);
    const files = series.get(key);
    if (files === undefined) series.set(key, [file]);
    else files.push(file);
  }
  return [...series.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, files]) => files);
}

function assembleOne(files: readonly DicomFacts[]): SeriesAssembly {
  const { unique, copies } = dropCopies(files);
  const { placed, unplaced, leftOut } = placePlanes(unique);
  const [first, ...others] = placed;
  const groups = first === undefined ? [] : splitByGeometry([first, ...others]);
  const stacks = groups.flatMap((group) => stacksOf(group, copies.length));
  const readable = stacks.filter((stack) => stack.status !== 'refused').sort((a, b) => planesIn(b) - planesIn(a));
  const refused = stacks.filter((stack) => stack.status === 'refused');
  return {
    stacks: [...readable, ...mergeRefusals([...refused, ...refuseFiles(unplaced)])],
    leftOut: [...leftOut, ...copies],
  };
}

/** Thirty slices that look thirty ways are refused in one line. */
function mergeRefusals(refused: readonly RefusedStack[]): readonly RefusedStack[] {
  const byReason = new Map<string, RefusedStack[]>();
  for (const stack of refused) {
    const same = byReason.get(stack.reason);
    if (same === undefined) byReason.set(stack.reason, [stack]);
    else same.push(stack);
  }
  return [...byReason.values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [{ ...first, files: [...new Set(same.flatMap(({ files }) => files))] }];
  });
}

/** The same image under two names is kept once. One identifier for different images is an exporter's fault and no copy. */
function dropCopies(files: readonly DicomFacts[]): { unique: readonly DicomFacts[]; copies: readonly LeftOutFile[] } {
  const seen = new Set<string>();
  const unique: DicomFacts[] = [];
  const copies: LeftOutFile[] = [];
  for (const file of files) {
    const place = JSON.stringify([file.planes[0]?.position, file.instanceNumber, file.planes.length, file.imageType]);
    const key = `${file.sopInstance}\0${place}`;
    if (file.sopInstance !== '' && seen.has(key)) copies.push({ file: file.path, reason: 'it is a copy of another file' });
    else unique.push(file);
    seen.add(key);
  }
  return { unique, copies };
}

function stacksOf(group: PlaneGroup, copies: number): readonly SeriesStack[] {
  const whole = arrangePlanes(group.planes);
  const byType = splitBy(IMAGE_TYPE, group);
  const stands = !('fault' in whole);
  if (stands && (whole.frames.length === 1 || byType.length === 1)) return settleStack(group, whole, copies);
  if (byType.length > 1) return byType.flatMap((part) => stacksOf(part, copies));
  const parts = ACQUISITIONS.map((criterion) => standingParts(splitBy(criterion, group), copies)).find(
    ({ length }) => length > 1,
  );
  if (parts !== undefined) return parts;
  return stands ? [] : refusePlanes(group.planes, whole);
}

/** Two slices that remain of a series that was parted are no volume unless their header proves them to be neighbours. */
function settleStack(group: PlaneGroup, whole: Arrangement, copies: number): readonly SeriesStack[] {
  const fault = group.partedBy.length > 0 ? pairReason(whole) : undefined;
  return fault === undefined ? [describeStack(group, whole, copies)] : refusePlanes(group.planes, { fault });
}

/** Every part as a volume of its own; empty unless each of them proves to be one. */
function standingParts(parts: readonly PlaneGroup[], copies: number): readonly SeriesStack[] {
  const stacks: SeriesStack[] = [];
  for (const part of parts) {
    const arranged = arrangePlanes(part.planes);
    if ('fault' in arranged || arranged.slots.length < PROVING_SLICES) return [];
    stacks.push(describeStack(part, arranged, copies));
  }
  return stacks;
}

function compareFiles(a: DicomFacts, b: DicomFacts): number {
  const byNumber = (a.instanceNumber ?? Infinity) - (b.instanceNumber ?? Infinity);
  if (byNumber !== 0 && !Number.isNaN(byNumber)) return byNumber;
  if (a.sopInstance !== b.sopInstance) return a.sopInstance < b.sopInstance ? -1 : 1;
  return a.path < b.path ? -1 : 1;
}

/** The largest volume comes first; equals stay in the order of their instance numbers. */
function planesIn({ frames }: ReadableStack): number {
  return frames.length * (frames[0]?.length ?? 0);
}
