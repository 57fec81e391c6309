import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { type ClassificationEvaluation, evaluateClassification } from '../evaluation/evaluate-classification.js';
import { evaluateSegmentation, type SegmentationEvaluation } from '../evaluation/evaluate-segmentation.js';
import type { EvaluatedModel } from '../evaluation/evaluated-model.js';
import type { EvaluationReport } from '../evaluation/segmentation-report.js';
import { finetuneFolder } from '../finetuning/finetune-folder.js';
import type { FinetuneTask } from '../finetuning/finetune-task.js';
import {
  type ClassificationFacts,
  type ModelFile,
  readModelFile,
  requireClassification,
  requireSegmentation,
  type SegmentationFacts,
} from '../finetuning/model-file.js';
import { readFinetuneTask } from '../finetuning/task-file.js';
import { completePlan } from '../preprocessing/prepare-volume.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import { describeClassification, describeSegmentation } from './evaluate-text.js';
import { MODEL_NAMES, openTaskModel } from './find-model.js';
import { JSON_OPTION, JSON_OPTION_TEXT, type JsonChoice, showFigures } from './json-output.js';
import { openTrainerDesk } from './trainer-desk.js';
import { addWindowOptions, type WindowOptions, windowPlan } from './window-options.js';

interface EvaluateOptions extends WindowOptions {
  readonly home?: string;
  readonly task?: string;
  readonly output?: string;
  readonly threads?: string;
  readonly device?: string;
  readonly threshold?: string;
  readonly legacyIou?: boolean;
  readonly json?: JsonChoice;
}

/** `site-agent evaluate`: scores of a fine-tuned model on the held-out cases of a task, and a report. */
export function evaluateCommand(): Command {
  const command = new Command('evaluate')
    .description('score a fine-tuned model on the test cases of a task and write a report')
    .argument('<model>', `fine-tuned model: ${MODEL_NAMES}`)
    .option('--task <file>', 'task file with the test cases; a folder of "finetune" brings its own')
    .option('--output <folder>', 'where results and report go (default: beside the model)')
    .option('--threshold <probability>', 'of classifiers: from where on a class is called present (default: 0.5)')
    .option('--legacy-iou', 'also the "IoU" of the Models Genesis papers, under its own name')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option(JSON_OPTION, JSON_OPTION_TEXT);
  return addWindowOptions(command)
    .addHelpText(
      'after',
      `
Writes results.json, results.csv and report.html: one page with scores, pictures and curves that needs nothing else. Where the
folder holds a scratch run ("finetune --compare-scratch"), that is scored too and both are compared case by case.
docs/guides/evaluation.md explains each figure.

Examples:
  site-agent evaluate finetuned/liver
  site-agent evaluate liver.safetensors --task other-cases.yaml --output results --json results/figures.json`,
    )
    .action(async (location: string, _options: unknown, own: Command) => {
      await evaluate(location, own.optsWithGlobals<EvaluateOptions>());
    });
}

async function evaluate(location: string, options: EvaluateOptions): Promise<void> {
  const home = options.home ?? defaultHome();
  const model = await openTaskModel(location, home);
  const task = readFinetuneTask(options.task ?? ownTaskFile(model), { isStartNeeded: false });
  requireSameClasses(task, model);
  requireSameImages(task, model);
  if (task.cases.test.length === 0) {
    throw new FederationError('TASK_INVALID', 'cases.test: the task lists no test case', {
      remedy: 'List labelled cases that the model was not trained on.',
    });
  }
  const { threads, device } = options;
  const config = loadAgentConfig({ home, flags: { threads, device } });
  const outputFolder = resolve(options.output ?? dirname(model.path));
  const models = { model: evaluated(model), scratch: await scratchBeside(model) };
  const evaluation = { ...models, outputFolder, limits: trainerLimits(config) };
  const figures =
    task.kind === 'segmentation'
      ? await evaluateMasks({ ...evaluation, task }, options)
      : await evaluateClasses({ ...evaluation, task }, options);
  requireAllScored(figures);
}

async function evaluateMasks(
  evaluation: Omit<SegmentationEvaluation, 'windows' | 'legacy'>,
  options: EvaluateOptions,
): Promise<Pick<EvaluationReport, 'refused'>> {
  const choices = { windows: windowPlan(options), legacy: options.legacyIou === true };
  const figures = await evaluateSegmentation({ ...evaluation, ...choices }, openTrainerDesk());
  await showFigures(options.json, figures, () => describeSegmentation(figures, evaluation.outputFolder));
  return figures;
}

async function evaluateClasses(
  evaluation: Omit<ClassificationEvaluation, 'threshold'>,
  options: EvaluateOptions,
): Promise<Pick<EvaluationReport, 'refused'>> {
  const figures = await evaluateClassification({ ...evaluation, threshold: readThreshold(options.threshold) }, openTrainerDesk());
  await showFigures(options.json, figures, () => describeClassification(figures, evaluation.outputFolder));
  return figures;
}

function readThreshold(text = '0.5'): number {
  const threshold = Number(text);
  if (text.trim() !== '' && threshold >= 0 && threshold <= 1) return threshold;
  throw new FederationError('ARGUMENT_INVALID', `--threshold ${text} is no probability from 0 to 1`);
}

function evaluated({ path, digest }: ModelFile): EvaluatedModel {
  return { modelPath: resolve(path), digest, folder: dirname(resolve(path)) };
}

/** The scratch run that "finetune --compare-scratch" left beside the model. */
async function scratchBeside({ path }: ModelFile): Promise<EvaluatedModel | undefined> {
  const { modelFile } = finetuneFolder(finetuneFolder(dirname(path)).scratchFolder);
  return existsSync(modelFile) ? evaluated(await readModelFile(modelFile)) : undefined;
}

function ownTaskFile({ path }: ModelFile): string {
  const { taskFile } = finetuneFolder(dirname(path));
  if (existsSync(taskFile)) return taskFile;
  throw new FederationError('ARGUMENT_INVALID', 'there is no task file beside the model', {
    remedy: 'Name one: site-agent evaluate MODEL --task TASK.yaml',
  });
}

/** Scores mean nothing when output 1 is the liver for the model and the spleen for the task. */
function requireSameClasses(task: FinetuneTask, model: ModelFile): void {
  const { classes } = factsOf(task, model);
  const names = (list: readonly { readonly name: string }[]): string => list.map(({ name }) => name).join(', ');
  if (names(classes) === names(task.classes)) return;
  throw new FederationError('TASK_INVALID', `classes: the task has ${names(task.classes)}, the model ${names(classes)}`, {
    remedy: 'Use a task with the same classes in the same order.',
  });
}

function factsOf(task: FinetuneTask, model: ModelFile): SegmentationFacts | ClassificationFacts {
  return task.kind === 'segmentation' ? requireSegmentation(model) : requireClassification(model);
}

/** The model's own way with images is used without being named; another one would be another model's score. */
function requireSameImages(task: FinetuneTask, model: ModelFile): void {
  const published = completePlan(undefined);
  const facts = factsOf(task, model);
  for (const field of ['spacingMm', 'ctWindowHu', 'percentiles'] as const) {
    const [wanted, own] = [task[field], facts[field] ?? published[field]];
    if (wanted === undefined || wanted.join() === own?.join()) continue;
    const trained = own === undefined ? 'with none' : `with ${own.join(', ')}`;
    throw new FederationError('TASK_INVALID', `${field}: the task says ${wanted.join(', ')}, the model was trained ${trained}`, {
      remedy: `Leave ${field} out: the model knows its own.`,
    });
  }
}

function requireAllScored({ refused }: Pick<EvaluationReport, 'refused'>): void {
  const [first] = refused;
  if (first === undefined) return;
  const others = refused.length > 1 ? `, and ${refused.length - 1} more` : '';
  throw new FederationError('TASK_INVALID', `${first.name} could not be scored: ${first.reason}${others}`, {
    remedy: 'Correct the files, or take the cases out of the task.',
  });
}
