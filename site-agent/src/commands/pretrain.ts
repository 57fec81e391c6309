import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError, formatDuration, shortDigest } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { writeFileWhole } from '@consilium/shared/weights';
import {
  type GroupScore,
  LEAST_SKILL,
  learningWords,
  type Monitors,
  type ProbeScore,
  VOXEL_TREATMENTS,
} from '@consilium/shared/wire';
import { indexCollection } from '../collection/index-collection.js';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { requireHome, siteFolder } from '../config/site-folder.js';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { SCRATCH } from '../finetuning/tasks/task-file.js';
import { EXAMPLE_RECIPE } from '../pretraining/example-recipe.js';
import { writeCurves } from '../pretraining/pretrain-curves.js';
import { type PretrainFolder, pretrainFolder } from '../pretraining/pretrain-folder.js';
import type { PretrainRecipe } from '../pretraining/pretrain-recipe.js';
import { describeRecipe, readRecipeFile } from '../pretraining/recipe-file.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import type { RecipeResult } from '../trainer/trainer-messages.js';
import { writeRecord } from '../training/round-folder.js';
import { findStart, MODEL_NAMES } from './find-model.js';
import { IndexProgress } from './index-progress.js';
import { openTrainerDesk } from './trainer-desk.js';

interface PretrainOptions {
  readonly home?: string;
  readonly output?: string;
  readonly data?: string;
  readonly from?: string;
  readonly threads?: string;
  readonly device?: string;
  readonly memoryLimit?: string;
  readonly json?: string;
  readonly example?: boolean;
}

/** `site-agent pretrain RECIPE`: pretrains a model on this site's own volumes, without a coordinator. */
export function pretrainCommand(): Command {
  return new Command('pretrain')
    .description('pretrain a model on your own unlabelled scans by a recipe, without a coordinator')
    .argument('[recipe]', 'recipe file (YAML): network, objective, patches, schedule')
    .option('--output <folder>', 'where the model goes (default: pretrained/NAME)')
    .option('--data <folder>', 'train on the scans in this folder; on the indexed collection of --home when left out')
    .option('--from <model>', `${MODEL_NAMES}, of the same network; from scratch when left out`)
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option('--memory-limit <size>', 'memory that training may come to, such as 2GiB; what is free when left out')
    .option('--json <file>', 'write the summary as JSON to this file')
    .option('--example', 'print a commented recipe and end')
    .addHelpText(
      'after',
      `
The best weights on the validation pairs are kept. A stopped or killed run continues when the same command is given again.
Nothing leaves the site. docs/guides/pretraining.md explains the recipe and the figures.

Examples:
  site-agent pretrain --example > recipe.yaml
  site-agent pretrain recipe.yaml --data /path/to/scans --output my-model
  site-agent --home my-site pretrain recipe.yaml --from my-model/model.safetensors`,
    )
    .action(async (recipe: string | undefined, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<PretrainOptions>();
      if (options.example === true) return void process.stdout.write(EXAMPLE_RECIPE);
      if (recipe === undefined) {
        throw new FederationError('ARGUMENT_INVALID', 'no recipe is named', {
          remedy: 'site-agent pretrain RECIPE.yaml; "site-agent pretrain --example" prints one to begin with.',
        });
      }
      await pretrain(readRecipeFile(recipe), options);
    });
}

async function pretrain(recipe: PretrainRecipe, options: PretrainOptions): Promise<void> {
  const { threads, device, memoryLimit, data, json } = options;
  const site = options.home ?? defaultHome();
  const config = loadAgentConfig({ home: site, flags: { threads, device, memoryLimit } });
  const from = await findStart(options.from ?? SCRATCH, site);
  const folder = pretrainFolder(resolve(options.output ?? `pretrained/${recipe.name}`));
  await makeFolder(folder.path);
  const home = await openCollection(config, folder, data);
  const order = { kind: 'recipe', home, limits: trainerLimits(config), recipe, from, outputFolder: folder.path } as const;
  const result = await openTrainerDesk().pretrain(order, recipe.name);
  await writeFileWhole(folder.recipeFile, [Buffer.from(describeRecipe(recipe))]);
  await writeCurves(folder, result.history);
  const summary = summaryOf(recipe, result);
  await writeRecord(folder.summaryFile, summary);
  if (json !== undefined) {
    await makeFolder(dirname(resolve(json)));
    await writeRecord(resolve(json), summary);
  }
  console.log(describeSummary(summary, folder));
}

/** The site folder whose index is trained on; a folder of scans gets one of its own, which goes when the model is written. */
async function openCollection({ folder: site }: AgentConfig, folder: PretrainFolder, data: string | undefined): Promise<string> {
  if (data === undefined) {
    requireHome(site);
    return site.home;
  }
  const own = siteFolder(folder.collectionHome);
  await makeFolder(own.home);
  const progress = new IndexProgress();
  try {
    await indexCollection({ paths: [resolve(data)], site: own, onProgress: progress.report });
  } finally {
    progress.finish();
  }
  return own.home;
}

/** summary.json: what came of it, without the course. */
interface PretrainSummary extends Omit<RecipeResult['history'], 'validations' | 'outcome' | 'recipe'> {
  readonly name: string;
  readonly recipe: PretrainRecipe;
  readonly modelPath: string;
  readonly outcome: RecipeResult['history']['outcome'];
}

function summaryOf(recipe: PretrainRecipe, { modelPath, history }: RecipeResult): PretrainSummary {
  const { work, startedFrom, volumes, stepsPerEpoch, totalSteps, outcome } = history;
  return { name: recipe.name, recipe, work, startedFrom, volumes, stepsPerEpoch, totalSteps, modelPath, outcome };
}

const ENDINGS = { steps: 'all steps done', minutes: 'time is up', 'early-stop': 'the validation loss stopped falling' } as const;

function describeSummary({ name, volumes, outcome, startedFrom }: PretrainSummary, folder: PretrainFolder): string {
  const { steps, epochs, stopped, bestStep, bestValidationLoss, score, monitors, trainingMs } = outcome;
  const start = startedFrom === SCRATCH ? 'from scratch' : `from ${shortDigest(startedFrom)}`;
  return [
    '',
    `${name}, ${start}: ${volumes.train} volumes, ${volumes.validation} held out (CT ${volumes.ct}, MR ${volumes.mr})`,
    `${steps} steps, ${Number(epochs.toFixed(2))} epochs in ${formatDuration(trainingMs)}: ${ENDINGS[stopped]}`,
    ...(score === null
      ? []
      : [`best at step ${bestStep}, validation loss ${bestValidationLoss?.toFixed(5)}`, '', ...describeScore(score)]),
    ...describeLearning(score),
    ...(monitors === undefined ? [] : ['', ...describeHeads(monitors)]),
    '',
    `model    ${folder.modelFile}`,
    `curves   ${folder.curvesPicture}`,
    `summary  ${folder.summaryFile}`,
    '',
    'Next:',
    `  site-agent finetune TASK.yaml --from ${folder.modelFile}`,
  ].join('\n');
}

function describeLearning(score: ProbeScore | null): string[] {
  const words = score === null ? undefined : learningWords(score);
  return words === undefined ? [] : ['', `This model ${words} (skill up to ${LEAST_SKILL} counts as none).`];
}

/** Skill by modality (rows) and treatment (columns). */
function describeScore({ skill, groups = [] }: ProbeScore): string[] {
  const cell = (modality: GroupScore['modality'], treatment: GroupScore['treatment']): string =>
    groups.find((group) => group.modality === modality && group.treatment === treatment)?.skill.toFixed(3) ?? '–';
  const row = (name: string, whole: string, modality: GroupScore['modality']): string[] => [
    name,
    whole,
    ...VOXEL_TREATMENTS.map((treatment) => cell(modality, treatment)),
  ];
  const rows = [
    row('all', skill.toFixed(3), undefined),
    ...(['CT', 'MR'] as const).map((kind) => row(kind, cell(kind, undefined), kind)),
  ];
  return [
    'Skill (0: no better than the best constant grey, 1: perfect)',
    formatTable(['', 'all voxels', ...VOXEL_TREATMENTS], rows),
  ];
}

/** The monitors of a universal model beside how to read them; restoration is in the skills. */
function describeHeads({ patches, scaleAccuracy, modalityAccuracy, featureRank }: Monitors): string[] {
  const accuracy = (name: string, value: number | undefined, reading: string): string[][] =>
    value === undefined ? [] : [[name, value.toFixed(3), reading]];
  const rows = [
    ...accuracy('scale accuracy', scaleAccuracy, 'the scale classifier; chance is 1 / number of scales'),
    ...accuracy(
      'modality accuracy',
      modalityAccuracy,
      'the adversary; 0.5 to 0.6 is aimed at where both modalities are held out',
    ),
    ['feature rank', featureRank.toFixed(2), 'compare it between validations: one that falls towards 1 is a collapse'],
  ];
  const table = formatTable(['monitor', 'value', 'how to read it'], rows, { align: ['left', 'right', 'left'] });
  return [`Monitors on ${patches} validation pairs`, table];
}
