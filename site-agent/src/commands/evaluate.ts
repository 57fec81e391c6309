import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import type { EvaluationReport } from '../evaluation/segmentation-report.js';
import { foldFolder } from '../finetuning/tasks/finetune-folder.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import { describeClassification, describeSegmentation } from './evaluate-text.js';
import { openEvaluatedTask } from './evaluated-task.js';
import { MODEL_NAMES, openTaskModel } from './find-model.js';
import { isFoldsFolder } from './folds-folder.js';
import { JSON_OPTION, JSON_OPTION_TEXT, type JsonChoice, requireJsonPlace, showFigures } from './json-output.js';
import { type EvaluationChoices, type Scored, scoreFolds, scoreTask } from './score-task.js';
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
folder holds a scratch run ("finetune --compare-scratch"), that is scored too and both are compared case by case. Of a folder of
folds, each fold is scored on the cases that it left out, and one report tells of all of them.
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
  const { threads, device } = options;
  const home = options.home ?? defaultHome();
  await requireJsonPlace(options.json);
  const choices: EvaluationChoices = {
    limits: trainerLimits(loadAgentConfig({ home, flags: { threads, device } })),
    windows: windowPlan(options),
    legacy: options.legacyIou === true,
    threshold: readThreshold(options.threshold),
  };
  const scored = (await isFoldsFolder(location))
    ? await scoreFolds(requireOwnTask(resolve(location), options.task), options.output, choices)
    : await scoreModel(location, { ...options, home }, choices);
  const words = (): string =>
    scored.kind === 'segmentation'
      ? describeSegmentation(scored.figures, scored.outputFolder)
      : describeClassification(scored.figures, scored.outputFolder);
  await showFigures(options.json, scored.figures, words);
  requireAllScored(scored.figures);
}

async function scoreModel(
  location: string,
  { home, task, output }: EvaluateOptions & { readonly home: string },
  choices: EvaluationChoices,
): Promise<Scored> {
  const model = await openTaskModel(location, home);
  return scoreTask(await openEvaluatedTask(model, task), resolve(output ?? dirname(model.path)), choices);
}

/** Other cases than the folds' own were held out from no fold. */
function requireOwnTask(folder: string, taskFile: string | undefined): string {
  if (taskFile === undefined) return folder;
  throw new FederationError('ARGUMENT_INVALID', '--task: each fold is scored on the cases that it left out, and on no others', {
    remedy: `Leave --task out, or name one fold: ${foldFolder(folder, 1)}`,
  });
}

function readThreshold(text = '0.5'): number {
  const threshold = Number(text);
  if (text.trim() !== '' && threshold >= 0 && threshold <= 1) return threshold;
  throw new FederationError('ARGUMENT_INVALID', `--threshold ${text} is no probability from 0 to 1`);
}

function requireAllScored({ refused }: Pick<EvaluationReport, 'refused'>): void {
  const [first] = refused;
  if (first === undefined) return;
  const others = refused.length > 1 ? `, and ${refused.length - 1} more` : '';
  throw new FederationError('TASK_INVALID', `${first.name} could not be scored: ${first.reason}${others}`, {
    remedy: 'Correct the files, or take the cases out of the task.',
  });
}
