import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { makeFolder } from '../finetuning/finetune-folder.js';
import { imagesToSegment } from '../finetuning/images-to-segment.js';
import { readModelFile, requireSegmentation, type SegmentationFacts } from '../finetuning/model-file.js';
import { formatTable } from '@consilium/shared/terminal';
import type { SegmentedImage } from '../trainer/trainer-messages.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import { openTrainerDesk } from './trainer-desk.js';

interface PredictOptions {
  readonly home?: string;
  readonly model: string;
  readonly output: string;
  readonly threads?: string;
  readonly device?: string;
  readonly json?: boolean;
}

/** `site-agent predict`: masks of new images, each in its image's own geometry. */
export function predictCommand(): Command {
  return new Command('predict')
    .description('segment images with a fine-tuned model and write masks as NIfTI in their own geometry')
    .argument('<image...>', 'NIfTI images, or folders to look through')
    .requiredOption('--model <file>', 'model file or folder of "finetune"')
    .requiredOption('--output <folder>', 'where the masks go')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
A mask is called like its image, with "_mask.nii.gz". Its values are the first label of each class in the task file.
Images that cannot be read are listed with the reason and passed over.

Example:
  site-agent predict --model finetuned/liver --output masks scans/`,
    )
    .action(async (images: string[], _options: unknown, command: Command) => {
      await predict(images, command.optsWithGlobals<PredictOptions>());
    });
}

async function predict(inputs: readonly string[], options: PredictOptions): Promise<void> {
  const model = await readModelFile(options.model);
  const facts = requireSegmentation(model);
  const images = imagesToSegment(inputs, options.output);
  if (images.length === 0) {
    throw new FederationError('NOT_FOUND', 'there is no NIfTI image (.nii, .nii.gz, .hdr) in the folders', {
      remedy: 'Name images, or a folder that holds some.',
    });
  }
  for (const { maskPath } of images) await makeFolder(dirname(maskPath ?? options.output));
  const { threads, device } = options;
  const config = loadAgentConfig({ home: options.home ?? defaultHome(), flags: { threads, device } });
  const order = { kind: 'segment', limits: trainerLimits(config), modelPath: resolve(model.path), images } as const;
  const result = await openTrainerDesk().segment(order, 'segmenting');
  if (options.json === true) console.log(JSON.stringify({ model: model.digest, images: result.images }, null, 2));
  else console.log(describeMasks(result.images, facts));
  requireSomeMask(result.images);
}

function describeMasks(images: readonly SegmentedImage[], { classes }: SegmentationFacts): string {
  const rows = images.map((image) =>
    'refused' in image
      ? [image.name, `not used: ${image.refused.message}`]
      : [image.maskPath ?? image.name, ...image.foregroundVoxels.map((voxels) => ((voxels * image.voxelMm3) / 1000).toFixed(2))],
  );
  const align = [undefined, ...classes.map(() => 'right' as const)];
  return formatTable(['mask', ...classes.map(({ name }) => `${name} ml`)], rows, { align });
}

function requireSomeMask(images: readonly SegmentedImage[]): void {
  if (images.some((image) => !('refused' in image))) return;
  throw new FederationError('VOLUME_UNSUITABLE', 'no image could be segmented', {
    remedy: 'The reasons stand in the list above.',
  });
}
