import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { formatDuration } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { readRecipe } from '../labelled-pretraining/read-recipe.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import type { LabelledPretrainResult } from '../trainer/trainer-messages.js';
import { findStart } from './find-model.js';
import { openTrainerDesk } from './trainer-desk.js';

interface PretrainLabelledOptions {
  readonly home?: string;
  readonly output?: string;
  readonly threads?: string;
  readonly device?: string;
  readonly memoryLimit?: string;
  readonly json?: boolean;
}

/** `site-agent pretrain-labelled RECIPE`: one encoder from several labelled collections (Med3D). */
export function pretrainLabelledCommand(): Command {
  return new Command('pretrain-labelled')
    .description('pretrain an encoder on several labelled collections at once, one decoder branch for each (Med3D)')
    .argument('<recipe>', 'recipe (YAML): the task files of the collections, network, schedule')
    .option('--output <folder>', 'where the encoder goes (default: pretrained/NAME)')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option('--memory-limit <size>', 'memory that training may come to, such as 2GiB; what is free when left out')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
The branches are dropped at the end; the encoder of the best mean validation Dice is kept. A stopped or killed run continues
when the same command is given again. Nothing leaves the site. docs/guides/med3d.md explains the recipe.

Examples:
  site-agent pretrain-labelled organs.yaml --output models/organs
  site-agent finetune liver.yaml --from models/organs`,
    )
    .action(async (recipeFile: string, _options: unknown, command: Command) => {
      await pretrainLabelled(recipeFile, command.optsWithGlobals<PretrainLabelledOptions>());
    });
}

async function pretrainLabelled(recipeFile: string, options: PretrainLabelledOptions): Promise<void> {
  const home = options.home ?? defaultHome();
  const named = readRecipe(recipeFile);
  const recipe = { ...named, start: await findStart(named.start, home, dirname(resolve(recipeFile))) };
  const { threads, device, memoryLimit } = options;
  const limits = trainerLimits(loadAgentConfig({ home, flags: { threads, device, memoryLimit } }));
  const outputFolder = resolve(options.output ?? `pretrained/${recipe.name}`);
  const result = await openTrainerDesk().pretrainLabelled({ kind: 'pretrain-labelled', limits, recipe, outputFolder });
  if (options.json === true) console.log(JSON.stringify(result, null, 2));
  else console.log(describeResult(recipe.name, result));
}

function describeResult(
  name: string,
  { steps, bestStep, trainingMs, looks, collections, modelPath }: LabelledPretrainResult,
): string {
  const best = looks.find(({ step }) => step === bestStep);
  const table = formatTable(
    ['collection', 'cases', 'steps', 'loss', 'validation Dice'],
    collections.map(({ name: branch, train }) => {
      const reached = best?.collections.find((entry) => entry.name === branch);
      const dice = reached?.classes.map((entry) => `${entry.name} ${entry.dice.toFixed(3)}`).join(', ') ?? '';
      return [branch, train, reached?.turns ?? '–', reached?.trainingLoss?.toFixed(3) ?? '–', dice === '' ? '–' : dice];
    }),
  );
  return [
    '',
    `${name}: ${steps} steps in ${formatDuration(trainingMs)}; the encoder is that of step ${bestStep}`,
    table,
    '',
    `model    ${modelPath}`,
    '',
    'Next:',
    `  site-agent finetune TASK.yaml --from ${modelPath}`,
  ].join('\n');
}
