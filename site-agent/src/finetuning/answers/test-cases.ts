/** The test cases of a task as a trainer process is asked to answer for them. */
import { choiceOf, type ScanChoice } from '../cases/case-scan.js';
import type { CaseFiles } from '../tasks/finetune-case.js';
import type { SegmentationCase, SegmentationClass } from '../tasks/segmentation-task.js';
import type { Modality } from '../../volumes/volume.js';
import type { ImageToClassify } from './image-to-classify.js';
import type { ImageToSegment } from './image-to-segment.js';

interface Tested<Case> {
  /** Of all images of the task. */
  readonly modality?: Modality | undefined;
  readonly cases: { readonly test: readonly Case[] };
}

/** `pictures`: where the overlay of each case goes, by its name; none is drawn where it is left out. */
export function testCasesToSegment(
  task: Tested<SegmentationCase> & { readonly classes: readonly SegmentationClass[] },
  pictures?: ReadonlyMap<string, string>,
): ImageToSegment[] {
  const { classes } = task;
  return task.cases.test.map((entry) => {
    const overlayPath = pictures?.get(entry.name);
    const label = { path: entry.label, classes };
    return { name: entry.name, choice: statedChoice(entry, task), label, ...(overlayPath !== undefined && { overlayPath }) };
  });
}

export function testCasesToClassify(task: Tested<CaseFiles & Pick<ImageToClassify, 'centre'>>): ImageToClassify[] {
  return task.cases.test.map((entry) => ({ name: entry.name, choice: statedChoice(entry, task), centre: entry.centre }));
}

/** The model may know less of these images than their own task does. */
function statedChoice(entry: CaseFiles, { modality }: Pick<Tested<unknown>, 'modality'>): ScanChoice {
  const choice = choiceOf(entry);
  return { ...choice, modality: choice.modality ?? modality };
}
