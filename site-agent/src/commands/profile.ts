import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { Command, Option } from 'commander';
import { parse as parseYaml } from 'yaml';
import { FederationError } from '@consilium/shared/kernel';
import { type ModelSpec, modelSpecSchema } from '@consilium/shared/models';
import { type OptimizerPlan, optimizerPlanSchema, parseWith } from '@consilium/shared/wire';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { chromeTrace } from '../engine/profile/chrome-trace.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import type { ProfileOrder, ProfileResult } from '../trainer/trainer-messages.js';
import type { PatchSize } from '../training/patch-batch.js';
import { type ProfiledTraining, WARM_UP_STEPS } from '../training/profiled-training.js';
import { describeProfile, type ProfileReport } from './profile-text.js';
import { openTrainerDesk } from './trainer-desk.js';

interface ProfileOptions {
  readonly home?: string;
  readonly model?: string;
  readonly width?: string;
  readonly norm?: string;
  readonly patch: string;
  readonly batch: string;
  readonly precision: ProfiledTraining['precision'];
  readonly memory?: ProfiledTraining['memory'];
  readonly optimizer: OptimizerPlan['kind'];
  readonly steps: string;
  readonly threads?: string;
  readonly json?: string | true;
  readonly trace?: string;
}

/** `site-agent profile`: where the time and the memory of a training step go. */
export function profileCommand(): Command {
  return new Command('profile')
    .description('show where the time and the memory of a training step go, by layer and by operation')
    .option('--model <file>', 'model spec (YAML or JSON), or a campaign file with one; a U-Net when left out')
    .option('--width <channels>', 'width of the U-Net (default: 8)')
    .option('--norm <norm>', 'norm of the U-Net: batch or instance (default: instance)')
    .option('--patch <x,y,z>', 'voxels of a patch', '64,64,32')
    .option('--batch <patches>', 'patches of a step', '4')
    .addOption(
      new Option('--precision <type>', 'element type of the activations; processors that compute bf16 poorly take f32 anyway')
        .choices(['f32', 'bf16'])
        .default('f32'),
    )
    .addOption(
      new Option('--memory <way>', 'what is kept for the way back; the usual when left out').choices([
        'plain',
        'lean',
        'leanest',
      ]),
    )
    .addOption(
      new Option('--optimizer <kind>', 'how weights are updated').choices(['sgd', 'adam', 'adamw', 'lamb']).default('sgd'),
    )
    .option('--steps <count>', 'steps to record', '5')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--json [file]', 'print the profile as JSON, or write it to a file')
    .option('--trace <file>', 'write every call for chrome://tracing or ui.perfetto.dev')
    .addHelpText(
      'after',
      `
The steps are real ones on random patches: nothing is read from the site and nothing is kept.
docs/guides/profiling.md explains the numbers.

Examples:
  site-agent profile
  site-agent profile --width 32 --norm batch --batch 2 --precision bf16 --trace step.json
  site-agent profile --model campaign.yaml --json profile.json`,
    )
    .action(async (_options: unknown, command: Command) => {
      await profile(command.optsWithGlobals<ProfileOptions>());
    });
}

async function profile(options: ProfileOptions): Promise<void> {
  const training = readTraining(options);
  const config = loadAgentConfig({ home: options.home ?? defaultHome(), flags: { threads: options.threads } });
  const limits = trainerLimits(config);
  const order: ProfileOrder = { kind: 'profile', limits, training, keepRecords: options.trace !== undefined };
  const result = await openTrainerDesk().profile(order, 'profiling', training.steps + WARM_UP_STEPS);
  if (options.trace !== undefined) writeFileSync(options.trace, JSON.stringify(chromeTrace(result.records ?? [])));
  const report = reportOf(limits.threads ?? availableParallelism(), result);
  if (options.json === true) return console.log(JSON.stringify(report, null, 2));
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(report, null, 2)}\n`);
  console.log(describeProfile(report));
  for (const file of [options.json, options.trace]) if (file !== undefined) console.log(`written: ${file}`);
}

function reportOf(threads: number, result: ProfileResult): ProfileReport {
  const { training, profile, peakResidentBytes, library, onGpu, nativeKernels, kind } = result;
  return { kind, training, threads, library, onGpu, nativeKernels, peakResidentBytes, profile };
}

/** The training that the options name; ARGUMENT_INVALID for one that cannot be. */
function readTraining(options: ProfileOptions): ProfiledTraining {
  const { precision, memory } = options;
  return {
    spec: readSpec(options),
    patches: wholeNumber('--batch', options.batch),
    sizeVoxels: readPatch(options.patch),
    optimizer: parseWith(optimizerPlanSchema, { kind: options.optimizer, learningRate: 1e-3 }, 'ARGUMENT_INVALID', '--optimizer'),
    precision,
    memory,
    steps: wholeNumber('--steps', options.steps),
  };
}

function readSpec({ model, width, norm }: ProfileOptions): ModelSpec {
  if (model === undefined) {
    const chosen = { architecture: 'genesis-unet3d', ...(width === undefined ? {} : { width: wholeNumber('--width', width) }) };
    return parseWith(modelSpecSchema, norm === undefined ? chosen : { ...chosen, norm }, 'ARGUMENT_INVALID', 'the model');
  }
  if (width !== undefined || norm !== undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'a model file says width and norm itself', {
      remedy: 'Leave --width and --norm out, or leave --model out.',
    });
  }
  const content = readYaml(model);
  const isCampaign = typeof content === 'object' && content !== null && 'model' in content;
  return parseWith(modelSpecSchema, isCampaign ? content.model : content, 'ARGUMENT_INVALID', 'the model spec');
}

function readYaml(path: string): unknown {
  try {
    return parseYaml(readFileSync(path, 'utf8'));
  } catch (cause) {
    const words = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new FederationError('ARGUMENT_INVALID', `the model file cannot be read: ${words}`, {
      cause,
      remedy: 'Give a YAML or JSON file, for example with the line "architecture: genesis-unet3d".',
    });
  }
}

function readPatch(text: string): PatchSize {
  const [x, y, z, ...others] = text.split(',').map((side) => wholeNumber('--patch', side));
  if (x !== undefined && y !== undefined && z !== undefined && others.length === 0) return [x, y, z];
  throw new FederationError('ARGUMENT_INVALID', `"${text}" is no patch size`, { remedy: 'Give three sides: --patch 64,64,32' });
}

function wholeNumber(option: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value > 0 && value <= 1_000_000) return value;
  throw new FederationError('ARGUMENT_INVALID', `${option} needs a whole number above 0, not "${text}"`, {
    remedy: `For example: ${option} ${option === '--patch' ? '64,64,32' : '4'}`,
  });
}
