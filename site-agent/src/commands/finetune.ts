import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { passportBeside } from '@consilium/shared/wire';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { EXAMPLES } from '../finetuning/tasks/example-tasks.js';
import { finetuneAndEvaluate, type FinetunePlan } from '../finetuning/finetune-and-evaluate.js';
import { seenCases } from '../finetuning/cases/seen-cases.js';
import { SCRATCH } from '../finetuning/tasks/finetune-case.js';
import { chosenFolds, finetuneFolds } from '../finetuning/finetune-folds.js';
import type { FinetuneTask } from '../finetuning/tasks/finetune-task.js';
import { readFinetuneTask } from '../finetuning/tasks/task-file.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import type { TrainerLimits } from '../trainer/trainer-messages.js';
import { describeCheck, requireSoundTask } from './check-text.js';
import { describeFolds, describeSummary } from './finetune-text.js';
import { findStart, MODEL_NAMES } from './find-model.js';
import { requireJsonPlace, showFigures } from './json-output.js';
import { openTrainerDesk } from './trainer-desk.js';

interface FinetuneOptions {
  readonly home?: string;
  readonly from?: string;
  readonly output?: string;
  readonly compareScratch?: boolean;
  readonly fold?: string;
  readonly check?: boolean;
  readonly example?: string | true;
  readonly threads?: string;
  readonly device?: string;
  readonly memoryLimit?: string;
  readonly json?: string | true;
}

/** `site-agent finetune TASK`: trains a segmentation or classification model on the site's own labels. */
export function finetuneCommand(): Command {
  return new Command('finetune')
    .description('train a model for segmentation or classification on your own labels, from a pretrained model or from scratch')
    .argument('[task]', 'task file (YAML): images, labels, classes, schedule')
    .option('--from <model>', `${MODEL_NAMES}, or "scratch"; the task file's start.from when left out`)
    .option('--output <folder>', 'where the model goes (default: finetuned/NAME)')
    .option('--compare-scratch', 'also train the same schedule from scratch and report both')
    .option('--fold <number>', 'only this fold of a task with folds; all, one after the other, when left out')
    .option('--check', 'read every case, say what it holds and what is wrong with it, and train nothing')
    .option('--example [kind]', 'print a commented task file, for segmentation or classification, and end')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option('--memory-limit <size>', 'memory that training may come to, such as 2GiB; what is free when left out')
    .option('--json [file]', 'print the summary as JSON, or write it to a file')
    .addHelpText(
      'after',
      `
The best weights on the validation cases are kept. A stopped or killed run continues when the same command is given again.
Nothing leaves the site. docs/guides/finetune.md explains the task file.

Examples:
  site-agent finetune --example classification > task.yaml
  site-agent finetune liver.yaml --check
  site-agent finetune liver.yaml --from universal@12 --compare-scratch --json figures.json
  site-agent finetune liver.yaml --from scratch --output models/liver`,
    )
    .action(async (taskFile: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<FinetuneOptions>();
      if (options.example === undefined) await finetune(taskFile, options);
      else console.log(exampleOf(options.example));
    });
}

function exampleOf(kind: string | true): string {
  if (kind === true || kind === 'segmentation' || kind === 'classification') {
    return EXAMPLES[kind === true ? 'segmentation' : kind].trimEnd();
  }
  throw new FederationError('ARGUMENT_INVALID', `there is no example of a ${kind}`, {
    remedy: 'Ask for --example segmentation or --example classification.',
  });
}

async function finetune(taskFile: string | undefined, options: FinetuneOptions): Promise<void> {
  if (taskFile === undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'no task file is named', {
      remedy: 'Name one before the options: site-agent finetune TASK.yaml. One to begin with: site-agent finetune --example',
    });
  }
  const home = options.home ?? defaultHome();
  await requireJsonPlace(options.json);
  if (options.check === true) return checkTask(taskFile, options);
  const task = await openTask(taskFile, options.from, home);
  const compareScratch = options.compareScratch === true;
  if (compareScratch && task.start.from === SCRATCH) {
    throw new FederationError('ARGUMENT_INVALID', 'there is nothing to compare: the task itself starts from scratch', {
      remedy: 'Name a model with --from, or leave --compare-scratch out.',
    });
  }
  const limits = limitsOf(options);
  const outputFolder = resolve(options.output ?? `finetuned/${task.name}`);
  await run({ task, outputFolder, compareScratch, limits }, options);
}

/** The start needs not be there yet: only the cases are looked at. */
async function checkTask(taskFile: string, options: FinetuneOptions): Promise<void> {
  const task = readFinetuneTask(taskFile, 'checking');
  const { cases } = await openTrainerDesk().check({ kind: 'check', limits: limitsOf(options), task }, task.name);
  await showFigures(options.json, { task: task.name, kind: task.kind, cases }, () => describeCheck(task, cases));
  requireSoundTask(task, cases);
}

function limitsOf({ home, threads, device, memoryLimit }: FinetuneOptions): TrainerLimits {
  return trainerLimits(loadAgentConfig({ home: home ?? defaultHome(), flags: { threads, device, memoryLimit } }));
}

async function run(plan: FinetunePlan, { fold, json }: FinetuneOptions): Promise<void> {
  const { task, outputFolder } = plan;
  const desk = openTrainerDesk();
  if (task.folds !== undefined) {
    const summary = await finetuneFolds({ ...plan, folds: task.folds }, chosenFolds(task.folds, fold), desk);
    return showFigures(json, summary, () => describeFolds(summary, outputFolder, asksForPoints(task)));
  }
  if (fold !== undefined) {
    throw new FederationError('ARGUMENT_INVALID', `--fold ${fold}: the task has no folds`, {
      remedy: 'Add "folds: { count: 5 }" to the task, or leave --fold out.',
    });
  }
  const summary = await finetuneAndEvaluate(plan, desk);
  return showFigures(json, summary, () => describeSummary(summary, outputFolder, asksForPoints(task)));
}

/** A classifier of patches is asked about points of images. */
function asksForPoints(task: FinetuneTask): boolean {
  return task.kind === 'classification' && task.input === 'patch';
}

/** Versions that the agent fetched for a round have none: their history is asked for by "model pull". */
function noteMissingPassport(name: string, path: string, home: string): void {
  const { folder } = loadAgentConfig({ home });
  if (dirname(path) !== folder.modelsFolder || existsSync(passportBeside(path))) return;
  console.error(
    `note: there is no passport of ${name} here, so that the new model can name its start but not tell its history; ` +
      '"site-agent model pull CAMPAIGN@VERSION" fetches it',
  );
}

/** A start that was fine-tuned here before may know the cases that are to judge the new model. */
async function noteSeen(name: string, path: string, { cases, folds }: FinetuneTask): Promise<void> {
  if (path === SCRATCH) return;
  const seen = await seenCases(path, folds === undefined ? cases.test : cases.train);
  if (seen.length === 0) return;
  console.error(
    `note: ${name} was trained or validated on ${seen.length} of the cases that will be scored, such as ${seen[0]}: ` +
      'their scores will say nothing about new patients',
  );
}

/** The start named on the command line wins; whichever it is, it is read now, so that a wrong one fails at once. */
async function openTask(taskFile: string, from: string | undefined, home: string): Promise<FinetuneTask> {
  const task = readFinetuneTask(taskFile);
  const name = from ?? task.start.from;
  const found = await (from === undefined ? findStart(name, home, dirname(resolve(taskFile))) : findStart(name, home));
  noteMissingPassport(name, found, home);
  await noteSeen(name, found, task);
  return { ...task, start: { ...task.start, from: found } };
}
