/** From listed entries to the cases of a kind of task: absolute paths that are there, labels or classes, patients. */
import { resolve } from 'node:path';
import { FederationError, required } from '@consilium/shared/kernel';
import type { CaseEntry } from './case-entry.js';
import type { ClassificationCase, ClassificationFile, ImageClass } from './classification-task.js';
import type { CaseFiles } from './finetune-case.js';
import { requireFile, requireScan } from './input-files.js';
import type { ListedCase } from './list-cases.js';
import type { SegmentationCase } from './segmentation-task.js';

/** What images are called, by their paths: {@link namesOfImages}. */
type ImageNames = ReadonlyMap<string, string>;

/** TASK_INVALID names the place of an entry without a label, with a class, or whose files are not there. */
export function segmentationCase({ entry, place, folder }: ListedCase, names: ImageNames): SegmentationCase {
  if (entry.label === undefined) {
    throw wrong(`${place}: label: the case names no label map`, 'Name its label map, or the folder of all: folders.labels.');
  }
  if (entry.class !== undefined) throw wrong(`${place}: class: a segmentation has label maps, no classes of images`);
  if (entry.centre !== undefined) throw wrong(`${place}: centre: a segmentation chooses its patches itself`);
  const files = imageOf(entry, place, folder);
  const label = resolve(folder, entry.label);
  requireFile(label, `${place}.label`);
  return { name: entry.name ?? nameOf(files, names), ...files, label };
}

type Classes = Pick<ClassificationFile, 'classes' | 'input'>;

/** As {@link segmentationCase}; the class is looked up among the task's. A label stands for a class where there is none. */
export function classificationCase(
  { entry, place, folder }: ListedCase,
  { classes, input }: Classes,
  names: ImageNames,
): ClassificationCase {
  const { centre } = entry;
  if (input === 'patch' && centre === undefined) {
    throw wrong(`${place}: centre: the task reads patches, and the case does not say where`, 'Give centre: [i, j, k].');
  }
  if (input === 'whole' && centre !== undefined) {
    throw wrong(`${place}: centre: the task reads whole images`, 'Say "input: patch" in the task, or leave the centre out.');
  }
  const classIndex = classOf(entry.class ?? entry.label, classes, place);
  const files = imageOf(entry, place, folder);
  const name = entry.name ?? [nameOf(files, names), ...(centre ?? [])].join('-');
  return { name, ...files, classIndex, ...(centre && { centre }) };
}

function nameOf({ image }: Pick<CaseFiles, 'image'>, names: ImageNames): string {
  return required(names.get(image), 'the name of a listed image');
}

function classOf(given: string | number | undefined, classes: readonly ImageClass[], place: string): number {
  const names = classes.map(({ name }) => name).join(', ');
  if (given === undefined) throw wrong(`${place}: class: the case names none of ${names}`);
  const index = classes.findIndex(({ name, labels }) => name === String(given) || labels.includes(String(given)));
  if (index >= 0) return index;
  throw wrong(`${place}: class: ${given} is none of ${names}`, 'Give the class its words or numbers: { name: …, labels: […] }.');
}

function imageOf({ image, series, frame, modality, patient }: CaseEntry, place: string, folder: string): Omit<CaseFiles, 'name'> {
  const path = resolve(folder, image);
  requireScan(path, `${place}.image`);
  return {
    image: path,
    ...(series !== undefined && { series }),
    ...(frame !== undefined && { frame }),
    ...(modality !== undefined && { modality }),
    ...(patient !== undefined && { patient: String(patient) }),
  };
}

function wrong(message: string, remedy = 'Correct the entry.'): FederationError {
  return new FederationError('TASK_INVALID', message, { remedy });
}
