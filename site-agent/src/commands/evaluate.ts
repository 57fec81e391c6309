import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { evaluateModel } from '../finetuning/finetune-and-evaluate.js';
import { finetuneFolder } from '../finetuning/finetune-folder.js';
import { type ModelFile, readModelFile, requireSegmentation } from '../finetuning/model-file.js';
import type { EvaluationReport } from '../finetuning/report.js';
import type { SegmentationTask } from '../finetuning/segmentation-task.js';
import { readTaskFile } from '../finetuning/task-file.js';
import { completePlan } from '../preprocessing/prepare-volume.js';
import { formatTable } from '@consilium/shared/terminal';
import { trainerLimits } from '../trainer/trainer-limits.js';
import { openTrainerDesk } from './trainer-desk.js';

interface EvaluateOptions {
  readonly home?: string;
  readonly model?: string;
  readonly output?: string;
  readonly threads?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** `site-agent evaluate`: Dice of a fine-tuned model on the held-out cases of a task. */
export function evaluateCommand(): Command {
  return new Command('evaluate')
    .description('score a fine-tuned model on the test cases of a task')
    .argument('[paths...]', 'MODEL [TASK], or only TASK together with --model; a folder of "finetune" brings its own task')
    .option('--model <file>', 'model file or folder')
    .option('--output <folder>', 'where results.json and results.csv go (default: beside the model)')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option('--json', 'print the results as JSON')
    .addHelpText(
      'after',
      `
Dice of a class that is neither in the label nor in the prediction counts as 1.

Examples:
  site-agent evaluate finetuned/liver
  site-agent evaluate --model liver.safetensors other-cases.yaml --output results`,
    )
    .action(async (paths: string[], _options: unknown, command: Command) => {
      await evaluate(paths, command.optsWithGlobals<EvaluateOptions>());
    });
}

async function evaluate(paths: readonly string[], options: EvaluateOptions): Promise<void> {
  const [location, taskFile] = options.model === undefined ? paths : [options.model, paths[0]];
  if (location === undefined || paths.length > (options.model === undefined ? 2 : 1)) {
    throw new FederationError('ARGUMENT_INVALID', 'name one model and at most one task file', {
      remedy: 'For example: site-agent evaluate finetuned/liver',
    });
  }
  const model = await readModelFile(location);
  const task = readTaskFile(taskFile ?? ownTaskFile(model));
  requireSameClasses(task, model);
  requireSameImages(task, model);
  const outputFolder = resolve(options.output ?? dirname(model.path));
  const { threads, device } = options;
  const config = loadAgentConfig({ home: options.home ?? defaultHome(), flags: { threads, device } });
  const subject = { modelPath: resolve(model.path), digest: model.digest };
  const report = await evaluateModel(task, subject, outputFolder, trainerLimits(config), openTrainerDesk());
  if (report === null) {
    throw new FederationError('TASK_INVALID', 'cases.test: the task lists no test case', {
      remedy: 'List labelled cases that the model was not trained on.',
    });
  }
  console.log(options.json === true ? JSON.stringify(report, null, 2) : describeReport(report, outputFolder));
  requireAllScored(report);
}

function ownTaskFile({ path }: ModelFile): string {
  const { taskFile } = finetuneFolder(dirname(path));
  if (existsSync(taskFile)) return taskFile;
  throw new FederationError('ARGUMENT_INVALID', 'there is no task file beside the model', {
    remedy: 'Name one: site-agent evaluate MODEL TASK.yaml',
  });
}

/** Scores mean nothing when channel 1 is the liver for the model and the spleen for the task. */
function requireSameClasses(task: SegmentationTask, model: ModelFile): void {
  const { classes } = requireSegmentation(model);
  const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(', ');
  if (names(classes) === names(task.classes)) return;
  throw new FederationError('TASK_INVALID', `classes: the task has ${names(task.classes)}, the model ${names(classes)}`, {
    remedy: 'Use a task with the same classes in the same order.',
  });
}

/** The model's own way with images is used without being named; another one would be another model's score. */
function requireSameImages(task: SegmentationTask, model: ModelFile): void {
  const published = completePlan(undefined);
  const facts = requireSegmentation(model);
  for (const field of ['spacingMm', 'ctWindowHu', 'percentiles'] as const) {
    const [wanted, own] = [task[field], facts[field] ?? published[field]];
    if (wanted === undefined || wanted.join() === own?.join()) continue;
    const trained = own === undefined ? 'with none' : `with ${own.join(', ')}`;
    throw new FederationError('TASK_INVALID', `${field}: the task says ${wanted.join(', ')}, the model was trained ${trained}`, {
      remedy: `Leave ${field} out: the model knows its own.`,
    });
  }
}

function describeReport(report: EvaluationReport, outputFolder: string): string {
  const rows = report.cases.flatMap((entry) =>
    entry.classes.map((score) => [
      entry.name,
      score.name,
      score.dice.toFixed(3),
      score.foregroundIou.toFixed(3),
      score.predictedMl.toFixed(2),
      score.labelledMl.toFixed(2),
    ]),
  );
  const headers = ['case', 'class', 'Dice', 'IoU', 'predicted ml', 'labelled ml'];
  const align = [undefined, undefined, 'right', 'right', 'right', 'right'] as const;
  const interval = report.meanDiceInterval;
  const range = interval === null ? '' : `, 95 % bootstrap interval ${interval.low.toFixed(3)} to ${interval.high.toFixed(3)}`;
  return [
    formatTable(headers, rows, { align }),
    '',
    `mean Dice ${report.meanDice?.toFixed(3) ?? '–'} over ${report.cases.length} cases${range}`,
    `results.json and results.csv are in ${outputFolder}`,
  ].join('\n');
}

function requireAllScored({ refused }: EvaluationReport): void {
  const [first] = refused;
  if (first === undefined) return;
  const others = refused.length > 1 ? `, and ${refused.length - 1} more` : '';
  throw new FederationError('TASK_INVALID', `${first.name} could not be scored: ${first.reason}${others}`, {
    remedy: 'Correct the files, or take the cases out of the task.',
  });
}
