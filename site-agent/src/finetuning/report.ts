import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import type { SegmentedImage } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { bootstrapInterval, type Interval } from './bootstrap.js';
import { dice, foregroundIou, mean } from './metrics.js';

/** One class of one case. */
export interface ClassScore {
  readonly name: string;
  readonly dice: number;
  readonly foregroundIou: number;
  readonly predictedMl: number;
  readonly labelledMl: number;
}

export interface CaseScore {
  readonly name: string;
  /** Mean over the classes. */
  readonly dice: number;
  readonly classes: readonly ClassScore[];
}

/** results.json: what a model reached on held-out cases. */
export interface EvaluationReport {
  readonly task: string;
  readonly model: Digest;
  readonly cases: readonly CaseScore[];
  /** Cases that could not be scored, with the reason. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
  /** Means over the scored cases; null when there is none. */
  readonly meanDice: number | null;
  readonly meanForegroundIou: number | null;
  /** 95 % bootstrap interval of meanDice; null below three cases. */
  readonly meanDiceInterval: Interval | null;
  readonly classMeans: readonly { readonly name: string; readonly dice: number }[];
}

/** Turns the trainer's counts into scores, in the order of the cases. */
export function makeReport(
  task: { readonly name: string; readonly classes: readonly { readonly name: string }[] },
  model: Digest,
  images: readonly SegmentedImage[],
): EvaluationReport {
  const cases = images.flatMap((image) => ('refused' in image ? [] : [scoreCase(image, task.classes)]));
  const refused = images.flatMap((image) => ('refused' in image ? [{ name: image.name, reason: image.refused.message }] : []));
  const scores = cases.map((entry) => entry.dice);
  const all = cases.flatMap((entry) => entry.classes);
  const classMeans = task.classes.map(({ name }) => ({
    name,
    dice: mean(all.filter((entry) => entry.name === name).map((entry) => entry.dice)),
  }));
  return {
    task: task.name,
    model,
    cases,
    refused,
    meanDice: cases.length === 0 ? null : mean(scores),
    meanForegroundIou: cases.length === 0 ? null : mean(all.map((entry) => entry.foregroundIou)),
    meanDiceInterval: bootstrapInterval(scores) ?? null,
    classMeans: cases.length === 0 ? [] : classMeans,
  };
}

function scoreCase(
  { name, counts, voxelMm3 }: Extract<SegmentedImage, { readonly voxelMm3: number }>,
  classes: readonly { readonly name: string }[],
): CaseScore {
  const millilitres = (voxels: number): number => (voxels * voxelMm3) / 1000;
  const scores = (counts ?? []).map((count, index) => ({
    name: classes[index]?.name ?? `class-${index + 1}`,
    dice: dice(count),
    foregroundIou: foregroundIou(count),
    predictedMl: millilitres(count.predicted),
    labelledMl: millilitres(count.labelled),
  }));
  return { name, dice: mean(scores.map((score) => score.dice)), classes: scores };
}

/** One line per case and class, for a spreadsheet. */
export function formatCsv(report: EvaluationReport): string {
  const rows = report.cases.flatMap((entry) =>
    entry.classes.map((score) =>
      [entry.name, score.name, score.dice, score.foregroundIou, score.predictedMl, score.labelledMl].map(csvCell).join(','),
    ),
  );
  return `${['case,class,dice,foreground_iou,predicted_ml,labelled_ml', ...rows].join('\n')}\n`;
}

function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(Number(value.toPrecision(6)));
  return /[",\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}

/** Writes results.json and results.csv into the folder and returns their paths. */
export async function writeReport(folder: string, report: EvaluationReport): Promise<{ json: string; csv: string }> {
  const [json, csv] = [join(folder, 'results.json'), join(folder, 'results.csv')];
  await writeRecord(json, report);
  await writeFileWhole(csv, [Buffer.from(formatCsv(report))]);
  return { json, csv };
}
