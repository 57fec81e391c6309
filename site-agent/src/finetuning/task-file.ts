import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml';
import { FederationError } from '@consilium/shared/kernel';
import { parseWith } from '@consilium/shared/wire';
import {
  type CaseFiles,
  type CaseLists,
  caseListsSchema,
  imagePlanOf,
  type SegmentationTask,
  taskFileSchema,
} from './segmentation-task.js';
import { requireFile, requireScan } from './input-files.js';

/** Where a fine-tuning begins: fresh seeded weights, or a model file (federated version, earlier fine-tuning, import). */
export const SCRATCH = 'scratch';

/**
 * Reads a fine-tuning task file (YAML or JSON): checks every field, resolves paths against the file's own folder and makes
 * sure that each named file exists. Throws TASK_INVALID naming the field or the file, NOT_FOUND when the task file is absent.
 */
export function readTaskFile(path: string): SegmentationTask {
  const folder = dirname(resolve(path));
  const fields = parseWith(taskFileSchema, parseText(path, 'task file'), 'TASK_INVALID', 'the task file');
  const lists = fields.cases ?? readSplit(resolve(folder, fields.split ?? ''));
  const cases = {
    train: resolveCases(lists.train, folder, 'train'),
    validation: resolveCases(lists.validation, folder, 'validation'),
    test: resolveCases(lists.test, folder, 'test'),
  };
  requireDistinctCases(cases);
  const { from, outputLayer } = fields.start;
  const startPath = from === SCRATCH ? SCRATCH : resolve(folder, from);
  if (startPath !== SCRATCH) requireFile(startPath, 'start.from');
  return {
    name: fields.name,
    kind: fields.kind,
    ...imagePlanOf(fields),
    classes: fields.classes,
    cases,
    start: { from: startPath, outputLayer },
    model: fields.model,
    patchSizeVoxels: fields.patchSizeVoxels,
    training: fields.training,
  };
}

function parseText(path: string, what: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FederationError('NOT_FOUND', `the ${what} ${path} cannot be read`, {
      cause,
      remedy: 'Check the path; the fine-tuning guide shows an example of such a file.',
    });
  }
  try {
    return parseYaml(text);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new FederationError('TASK_INVALID', `the ${what} ${path} is not valid YAML: ${words}`, {
      cause,
      remedy: 'Correct the file; indentation and colons are the usual reasons.',
    });
  }
}

// A split file's paths are relative to the task file, like all others, so that moving lists in or out changes nothing.
function readSplit(path: string): CaseLists {
  return parseWith(caseListsSchema, parseText(path, 'split file'), 'TASK_INVALID', 'the split file');
}

function resolveCases(listed: CaseLists['train'], folder: string, list: string): CaseFiles[] {
  return listed.map(({ image, label, name, ...choice }, index) => {
    const files = { image: resolve(folder, image), ...choice, label: resolve(folder, label) };
    requireScan(files.image, `cases.${list}.${index}.image`);
    requireFile(files.label, `cases.${list}.${index}.label`);
    return { name: name ?? caseName(files.image), ...files };
  });
}

/** "scans/hippocampus_205.nii.gz" → "hippocampus_205", "scans/abdomen.dcm" → "abdomen"; a folder's name is its own. */
export function caseName(path: string): string {
  return basename(path).replace(/\.(nii\.gz|nii|hdr\.gz|hdr|img\.gz|img|dcm)$/i, '');
}

/**
 * A case that is trained and tested on makes every number meaningless, so it is refused rather than reported. Frames of one
 * scan show one patient: they may share a list, but not lie in two.
 */
function requireDistinctCases(cases: SegmentationTask['cases']): void {
  const scans = new Map<string, string>();
  const frames = new Set<string>();
  const names = new Set<string>();
  for (const [list, members] of Object.entries(cases)) {
    for (const { image, series = '', frame = 0, name } of members) {
      const scan = `${image}#${series}`;
      const other = scans.get(scan);
      if (other !== undefined && (other !== list || frames.has(`${scan}#${frame}`))) throw listedTwice(list, name, other);
      if (names.has(name)) {
        throw new FederationError('TASK_INVALID', `cases.${list}: two cases are called ${name}`, {
          remedy: 'Give one of them another "name".',
        });
      }
      scans.set(scan, list);
      frames.add(`${scan}#${frame}`);
      names.add(name);
    }
  }
}

function listedTwice(list: string, name: string, other: string): FederationError {
  return new FederationError('TASK_INVALID', `cases.${list}: the image of case ${name} is also listed under ${other}`, {
    remedy: 'Put each image into exactly one of train, validation and test.',
  });
}

/** The task as the text of a task file with absolute paths: it reads back as the same task wherever it is put. */
export function describeTask({ cases, ...task }: SegmentationTask): string {
  return stringifyYaml({ ...task, cases });
}
