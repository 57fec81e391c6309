/** What a person reads after "finetune --check": what the cases hold, what is odd, and which of them cannot be used. */
import { FederationError } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import type { CaseFacts, CheckedCase } from '../finetuning/cases/checked-case.js';
import { requireEveryClass } from '../finetuning/cases/labelled-case.js';
import { CASE_LISTS, type CaseList } from '../finetuning/tasks/case-entry.js';
import type { FinetuneTask } from '../finetuning/tasks/finetune-task.js';
import { lookAtTrainedTasks } from '../finetuning/tasks/task-of-fold.js';
import { requireExamples } from '../finetuning/task-data.js';
import { remarkOnValidation } from '../finetuning/validation-cost.js';
import type { Triple } from '../volumes/volume.js';
import { median } from '../labelled-pretraining/median-spacing.js';

type Sound = Extract<CheckedCase, { readonly facts: CaseFacts }>;
type Wrong = Extract<CheckedCase, { readonly problem: string }>;

/** Scans whose voxels differ by more than this along an axis look different to a network. */
const MOST_SHOWN_VALUES = 12;
const NOTABLE_SPACING_RATIO = 1.5;
const MOST_NAMES = 5;
/** Sides of patches are multiples of this: networks halve them three times. */
const SIDE_UNIT = 8;

/** Lines for the terminal: classes, images, notes, then the cases that cannot be used. */
export function describeCheck(task: FinetuneTask, cases: readonly CheckedCase[]): string {
  const [sound, wrong] = [cases.filter(isSound), cases.filter(isWrong)];
  const blocks = [
    [`${task.name}: ${sound.length} of ${cases.length} cases can be used (${describeLists(task)})`],
    [describeClasses(task, sound)],
    ...(sound.length === 0 ? [] : [[describeImages(sound)], remarksOn(task, sound).map((text) => `note: ${text}`)]),
    describeProblems(wrong),
  ];
  return `\n${blocks
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}`;
}

/** TASK_INVALID when a case cannot be used, or a class has no training case, in any of the task's folds. */
export function requireSoundTask(task: FinetuneTask, cases: readonly CheckedCase[]): void {
  const wrong = cases.filter(isWrong).length;
  if (wrong > 0) {
    throw new FederationError('TASK_INVALID', `${wrong} of ${cases.length} cases of ${task.name} cannot be used`, {
      remedy: 'Correct what is listed above, or take the cases out of the task.',
    });
  }
  lookAtTrainedTasks(task, (trained) => requireClasses(trained, cases.filter(isSound)));
}

function requireClasses(task: FinetuneTask, cases: readonly Sound[]): void {
  if (task.kind === 'classification') return requireExamples(task);
  const names = new Set(task.cases.train.map(({ name }) => name));
  const training = cases.filter(({ name }) => names.has(name));
  requireEveryClass(task.classes, (index) => training.some(({ facts }) => voxelsOf(facts, index) > 0));
}

function describeLists({ cases, folds }: FinetuneTask): string {
  if (folds !== undefined) return `${folds.count} folds`;
  const { train, validation, test } = cases;
  return `${train.length} to train, ${validation.length} to validate, ${test.length} to test`;
}

function describeClasses(task: FinetuneTask, sound: readonly Sound[]): string {
  if (task.kind === 'classification') {
    const rows = task.classes.map(({ name }, index) => [name, ...CASE_LISTS.map((list) => count(task, list, index))]);
    const lists = task.folds === undefined ? CASE_LISTS : CASE_LISTS.slice(0, 1);
    const heads = task.folds === undefined ? ['class', 'training', 'validation', 'test cases'] : ['class', 'cases'];
    return formatTable(
      heads,
      rows.map((row) => row.slice(0, lists.length + 1)),
    );
  }
  const rows = task.classes.map(({ name, labels }, index) => {
    const voxels = sound.map(({ facts }) => voxelsOf(facts, index)).filter((own) => own > 0);
    return [name, labels.join(', '), voxels.length, voxels.length === 0 ? '–' : median(voxels)];
  });
  return formatTable(['class', 'label values', 'cases that have it', 'voxels in the middle one of these'], rows);
}

function count({ cases }: Extract<FinetuneTask, { kind: 'classification' }>, list: CaseList, wanted: number): number {
  return cases[list].filter(({ classIndex }) => classIndex === wanted).length;
}

function voxelsOf({ classVoxels }: CaseFacts, index: number): number {
  return classVoxels?.[index] ?? 0;
}

function describeImages(sound: readonly Sound[]): string {
  const facts = sound.map((entry) => entry.facts);
  const modalities = (['CT', 'MR'] as const).flatMap((modality) => {
    const own = facts.filter((one) => one.modality === modality).length;
    return own === 0 ? [] : [`${own} ${modality}`];
  });
  const along = (values: (one: CaseFacts) => readonly number[], digits: number): string =>
    [0, 1, 2]
      .map((axis) =>
        range(
          facts.map((one) => values(one)[axis] ?? NaN),
          digits,
        ),
      )
      .join(' × ');
  return [
    `modality  ${modalities.join(', ')}`,
    `voxels    ${along(({ sizeVoxels }) => sizeVoxels, 0)}`,
    `spacing   ${along(({ spacingMm }) => spacingMm, 2)} mm`,
  ].join('\n');
}

function range(values: readonly number[], digits: number): string {
  const [least, most] = [Math.min(...values).toFixed(digits), Math.max(...values).toFixed(digits)];
  return least === most ? least : `${least}–${most}`;
}

function remarksOn(task: FinetuneTask, sound: readonly Sound[]): string[] {
  const remarks: string[] = [];
  const others = sound.filter(({ facts }) => (facts.otherLabels ?? []).length > 0);
  if (others.length > 0) {
    const values = [...new Set(others.flatMap(({ facts }) => facts.otherLabels ?? []))].sort((a, b) => a - b);
    remarks.push(`label values that belong to no class count as background: ${describeValues(values)} (${namesOf(others)})`);
  }
  const empty = task.kind === 'segmentation' ? sound.filter(({ facts }) => facts.classVoxels?.every((own) => own === 0)) : [];
  if (empty.length > 0) remarks.push(`nothing is labelled in ${namesOf(empty)}`);
  const ratios = [0, 1, 2].map((axis) => {
    const sides = sound.map(({ facts }) => facts.spacingMm[axis] ?? NaN);
    return Math.max(...sides) / Math.min(...sides);
  });
  const ratio = Math.max(...ratios);
  if (task.spacingMm === undefined && ratio > NOTABLE_SPACING_RATIO) {
    remarks.push(`voxels differ ${ratio.toFixed(1)}-fold in size along an axis; "spacingMm" brings all scans to one spacing`);
  }
  if (task.kind === 'segmentation') {
    const validated = task.folds === undefined ? sound.filter(({ list }) => list === 'validation') : sound;
    const sizes = validated.map(({ facts }) => facts.preparedVoxels);
    const cost = remarkOnValidation(task, sizes, task.folds?.count);
    remarks.push(...remarksOnPatch(task.patchSizeVoxels, sound), ...(cost === undefined ? [] : [cost]));
  }
  return remarks;
}

/** A map of structures has few values; hundreds are intensities. */
function describeValues(values: readonly number[]): string {
  const shown = values.slice(0, MOST_SHOWN_VALUES).join(', ');
  if (values.length <= MOST_SHOWN_VALUES) return shown;
  return `${shown} and ${values.length - MOST_SHOWN_VALUES} more – is an image named as its label?`;
}

/** Of a patch that is much longer than most scans, the network sees zeros. */
function remarksOnPatch(patch: Triple, sound: readonly Sound[]): string[] {
  const middle = ([0, 1, 2] as const).map((axis) => median(sound.map(({ facts }) => facts.preparedVoxels[axis])));
  const fitting = patch.map((side, axis) => Math.min(side, SIDE_UNIT * Math.ceil((middle[axis] ?? side) / SIDE_UNIT)));
  if (patch.every((side, axis) => side === fitting[axis])) return [];
  return [
    `the middle scan has ${middle.join(' × ')} voxels, a patch ${patch.join(' × ')}, which is zero beyond it; ` +
      `"patchSizeVoxels: [${fitting.join(', ')}]" has less of that`,
  ];
}

/** Cases that fail for one reason, such as patches of one scan, are told together. */
function describeProblems(wrong: readonly Wrong[]): string[] {
  const problems = new Map<string, Wrong[]>();
  for (const entry of wrong) problems.set(entry.problem, [...(problems.get(entry.problem) ?? []), entry]);
  return [...problems].flatMap(([problem, [first, ...rest]]) => {
    const also = rest.length === 0 ? '' : ` (and ${rest.length} more ${rest.length === 1 ? 'case' : 'cases'} of this image)`;
    return [`not usable: ${problem}${also}`, ...(first?.remedy === undefined ? [] : [`  ${first.remedy}`])];
  });
}

function namesOf(cases: readonly Sound[]): string {
  const names = cases.slice(0, MOST_NAMES).map(({ name }) => name);
  return cases.length > MOST_NAMES ? `${names.join(', ')} and ${cases.length - MOST_NAMES} more` : names.join(', ');
}

function isSound(entry: CheckedCase): entry is Sound {
  return 'facts' in entry;
}

function isWrong(entry: CheckedCase): entry is Wrong {
  return 'problem' in entry;
}
