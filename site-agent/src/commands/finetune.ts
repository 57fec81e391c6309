import { resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError, formatBytes, formatDuration } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { finetuneAndEvaluate, type FinetuneSummary, type TrainedModel } from '../finetuning/finetune-and-evaluate.js';
import { finetuneFolder } from '../finetuning/finetune-folder.js';
import { readModelFile } from '../finetuning/model-file.js';
import type { SegmentationTask } from '../finetuning/segmentation-task.js';
import { readTaskFile, SCRATCH } from '../finetuning/task-file.js';
import { formatTable } from '@consilium/shared/terminal';
import { trainerLimits } from '../trainer/trainer-limits.js';
import { findModel } from './find-model.js';
import { openTrainerDesk } from './trainer-desk.js';

interface FinetuneOptions {
  readonly home?: string;
  readonly from?: string;
  readonly output?: string;
  readonly compareScratch?: boolean;
  readonly threads?: string;
  readonly device?: string;
  readonly memoryLimit?: string;
  readonly json?: boolean;
}

/** `site-agent finetune TASK`: trains a segmentation model on the site's own labels. */
export function finetuneCommand(): Command {
  return new Command('finetune')
    .description('train a segmentation model on your own labels, from a pretrained model or from scratch')
    .argument('<task>', 'task file (YAML): images, labels, classes, schedule')
    .option(
      '--from <model>',
      'model file, pin, CAMPAIGN[@VERSION] or "scratch" to start from; the task file\'s start.from when left out',
    )
    .option('--output <folder>', 'where the model goes (default: finetuned/NAME)')
    .option('--compare-scratch', 'also train the same schedule from scratch and report both')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option('--memory-limit <size>', 'memory that training may come to, such as 2GiB; what is free when left out')
    .option('--json', 'print the summary as JSON')
    .addHelpText(
      'after',
      `
The best weights on the validation cases are kept. A stopped or killed run continues when the same command is given again.
Nothing leaves the site. docs/guides/fine-tuning.md explains the task file.

Examples:
  site-agent finetune liver.yaml --from site/models/universal.safetensors --compare-scratch
  site-agent finetune liver.yaml --from scratch --output models/liver`,
    )
    .action(async (taskFile: string, _options: unknown, command: Command) => {
      await finetune(taskFile, command.optsWithGlobals<FinetuneOptions>());
    });
}

async function finetune(taskFile: string, options: FinetuneOptions): Promise<void> {
  const task = await withStart(readTaskFile(taskFile), options);
  const compareScratch = options.compareScratch === true;
  if (compareScratch && task.start.from === SCRATCH) {
    throw new FederationError('ARGUMENT_INVALID', 'there is nothing to compare: the task itself starts from scratch', {
      remedy: 'Name a model with --from, or leave --compare-scratch out.',
    });
  }
  const { threads, device, memoryLimit } = options;
  const limits = trainerLimits(loadAgentConfig({ home: options.home ?? defaultHome(), flags: { threads, device, memoryLimit } }));
  const outputFolder = resolve(options.output ?? `finetuned/${task.name}`);
  const summary = await finetuneAndEvaluate({ task, outputFolder, compareScratch, limits }, openTrainerDesk());
  if (options.json === true) console.log(JSON.stringify(summary, null, 2));
  else console.log(describeSummary(summary, outputFolder));
}

/** The start named on the command line wins; whichever it is, it is read now, so that a wrong one fails at once. */
async function withStart(task: SegmentationTask, { from, home }: FinetuneOptions): Promise<SegmentationTask> {
  const start = from === undefined ? task.start.from : from === SCRATCH ? SCRATCH : await findModel(from, home ?? defaultHome());
  const path = start === SCRATCH ? SCRATCH : (await readModelFile(start)).path;
  return { ...task, start: { ...task.start, from: path } };
}

function describeSummary(summary: FinetuneSummary, outputFolder: string): string {
  const { model, scratch, cases } = summary;
  const rows = [['from the model', model], ...(scratch === null ? [] : [['from scratch', scratch] as const])] as const;
  const table = formatTable(
    ['start', 'steps', 'best step', 'validation Dice', `Dice on ${cases.test} test cases`, 'training', 'peak memory'],
    rows.map(([name, trained]) => describeRow(model.startedFrom === SCRATCH ? 'from scratch' : name, trained)),
  );
  const folder = finetuneFolder(outputFolder);
  return [
    '',
    `${summary.task}: ${cases.train} labelled cases, ${summary.classes.join(', ')}${describeSpacing(summary)}`,
    table,
    '',
    `model    ${folder.modelFile}`,
    `summary  ${folder.summaryFile}`,
    '',
    'Next:',
    `  site-agent predict --model ${folder.modelFile} --output masks IMAGE|FOLDER`,
  ].join('\n');
}

function describeSpacing({ spacingMm }: FinetuneSummary): string {
  return spacingMm === null ? '' : `; images at ${spacingMm.join(' × ')} mm, scores on their own grids`;
}

function describeRow(name: string, trained: TrainedModel): (string | number)[] {
  const { steps, bestStep, bestValidationDice, test, trainingMs, peakResidentBytes } = trained;
  const interval = test?.meanDiceInterval;
  const range = interval ? ` (${interval.low.toFixed(3)}–${interval.high.toFixed(3)})` : '';
  const testDice = typeof test?.meanDice === 'number' ? test.meanDice.toFixed(3) + range : '–';
  const peak = peakResidentBytes === undefined ? '–' : formatBytes(peakResidentBytes);
  return [name, steps, bestStep, bestValidationDice?.toFixed(3) ?? '–', testDice, formatDuration(trainingMs), peak];
}
