import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { ClassifiedImage } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { mostLikely, scoreExamples } from './classification-scores.js';
import type { ClassificationTask } from './classification-task.js';

/** One test case of a classification. */
export interface ClassifiedCase {
  readonly name: string;
  /** What it is, and what the model takes it for. */
  readonly class: string;
  readonly predicted: string;
  /** One per class, in the task's order. */
  readonly probabilities: readonly number[];
}

/** results.json of a classification. */
export interface ClassificationReport {
  readonly task: string;
  readonly model: Digest;
  readonly classes: readonly string[];
  readonly cases: readonly ClassifiedCase[];
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** Null when no case was scored; AUC also when the cases show one class only. */
  readonly auc: number | null;
  readonly accuracy: number | null;
}

/** Puts the trainer's answers beside what is right; both in the order of the task's test cases. */
export function makeClassificationReport(
  task: ClassificationTask,
  model: Digest,
  images: readonly ClassifiedImage[],
): ClassificationReport {
  const names = task.classes.map(({ name }) => name);
  const right = new Map(task.cases.test.map(({ name, classIndex }) => [name, classIndex]));
  const answered = images.flatMap((image) => ('refused' in image ? [] : [{ ...image, classIndex: right.get(image.name) ?? 0 }]));
  const scores = answered.length === 0 ? null : scoreExamples(answered, names.length);
  return {
    task: task.name,
    model,
    classes: names,
    cases: answered.map(({ name, classIndex, probabilities }) => ({
      name,
      class: names[classIndex] ?? '',
      predicted: names[mostLikely(probabilities)] ?? '',
      probabilities,
    })),
    refused: images.flatMap((image) => ('refused' in image ? [{ name: image.name, reason: image.refused.message }] : [])),
    auc: scores?.auc ?? null,
    accuracy: scores?.accuracy ?? null,
  };
}

/** One line per case, for a spreadsheet. */
export function formatClassificationCsv({ classes, cases }: ClassificationReport): string {
  const header = ['case', 'class', 'predicted', ...classes.map((name) => `probability_${name}`)];
  const rows = cases.map((entry) => [
    entry.name,
    entry.class,
    entry.predicted,
    ...entry.probabilities.map((value) => String(Number(value.toPrecision(6)))),
  ]);
  return `${[header, ...rows].map((cells) => cells.map(quoted).join(',')).join('\n')}\n`;
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Writes results.json and results.csv into the folder. */
export async function writeClassificationReport(folder: string, report: ClassificationReport): Promise<void> {
  await writeRecord(join(folder, 'results.json'), report);
  await writeFileWhole(join(folder, 'results.csv'), [Buffer.from(formatClassificationCsv(report))]);
}
