import { resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { defaultHome } from '../config/default-home.js';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import type { RefusedImage } from '../finetuning/answers/find-dicom-images.js';
import { describeRefused } from '../evaluation/image-scores.js';
import { modalityField } from '../finetuning/tasks/image-plan.js';
import { type ImageToSegment, MASK_FORMATS, type MaskFormat } from '../finetuning/answers/image-to-segment.js';
import { imagesToSegment } from '../finetuning/answers/images-to-segment.js';
import { requireOneTask } from '../finetuning/answers/model-ensemble.js';
import { type ModelFile, requireSegmentation, type SegmentationFacts } from '../finetuning/answers/model-file.js';
import { formatTable } from '@consilium/shared/terminal';
import type { RefusedAnswer, SegmentedImage, TrainerLimits } from '../trainer/trainer-messages.js';
import { trainerLimits } from '../trainer/trainer-limits.js';
import type { Modality } from '../volumes/volume.js';
import { MODEL_NAMES, openAnsweringModels } from './find-model.js';
import { JSON_OPTION, JSON_OPTION_TEXT, type JsonChoice, requireJsonPlace, showFigures } from './json-output.js';
import { imagesAtPoints, modelsOf, predictClasses, requireSomeAnswer } from './predict-classes.js';
import { openTrainerDesk } from './trainer-desk.js';
import { addWindowOptions, type WindowOptions, windowPlan } from './window-options.js';

interface PredictOptions extends WindowOptions {
  readonly home?: string;
  readonly model: string;
  readonly output: string;
  readonly points?: string;
  readonly frame?: string;
  readonly modality?: string;
  readonly format?: string;
  readonly probabilities?: boolean;
  readonly threads?: string;
  readonly device?: string;
  readonly json?: JsonChoice;
}

/** `site-agent predict`: masks of new images, each in its image's own geometry. */
export function predictCommand(): Command {
  const command = new Command('predict')
    .description('segment or classify images with a fine-tuned model: masks in their own geometry, or a table of scores')
    .argument('[image...]', 'NIfTI or DICOM files, or folders to look through')
    .requiredOption('--model <model>', `fine-tuned model: ${MODEL_NAMES}`)
    .requiredOption('--output <folder>', 'where masks or scores go')
    .option('--frame <number>', 'which volume of scans with several (time points, echoes), from 0; the first when left out')
    .option('--modality <modality>', 'CT or MR, of images that do not say; the model or their values tell when left out')
    .option(
      '--points <table>',
      'of classifiers of patches: a CSV file with the columns image, i, j, k (and name), instead of images',
    )
    .option('--format <format>', 'nifti, or dicom-seg: a DICOM segmentation that refers to its series (default: nifti)')
    .option('--probabilities', 'also the probability of each class in every voxel, as NIfTI')
    .option('--threads <count>', 'processor threads; all cores when left out')
    .option('--device <device>', 'auto, cpu, gpu or gpu:0; auto when left out')
    .option(JSON_OPTION, JSON_OPTION_TEXT);
  return addWindowOptions(command)
    .addHelpText(
      'after',
      `
A mask is called like its image, with "_mask.nii.gz"; that of a DICOM series like the folder of its files, with a number where
the folder holds several. A single DICOM file stands for its whole series. Values are the first label of each class in the task
file. Images that cannot be read are listed with the reason and passed over. A DICOM segmentation ("_seg.dcm") carries the patient's
name and number as its series does; only DICOM series can have one. A classifier writes scores.csv instead: a line for each image.
Of a folder of folds all models answer together: the mean of their probabilities, as many times the work.

Examples:
  site-agent predict --model finetuned/liver --output masks scans/
  site-agent predict --model finetuned/liver-5-folds --output masks scans/
  site-agent predict --model finetuned/liver --output masks exports/patient-7/ct-abdomen --format dicom-seg`,
    )
    .action(async (images: string[], _options: unknown, command: Command) => {
      await predict(images, command.optsWithGlobals<PredictOptions>());
    });
}

async function predict(inputs: readonly string[], options: PredictOptions): Promise<void> {
  await requireJsonPlace(options.json);
  const models = await openAnsweringModels(options.model, options.home ?? defaultHome());
  const modality = readModality(options.modality, models);
  if (options.points !== undefined) return predictPoints(inputs, models, modality, options);
  const { images, refused } = await imagesToSegment(inputs, {
    outputFolder: options.output,
    frame: readFrame(options.frame),
    modality,
    format: readFormat(options.format),
    probabilities: options.probabilities === true,
  });
  if (images.length + refused.length === 0) {
    throw new FederationError('NOT_FOUND', 'there is no NIfTI image (.nii, .nii.gz, .hdr) and no DICOM image in the folders', {
      remedy: 'Name images, or a folder that holds some.',
    });
  }
  const others = refused.map(asRefused);
  if (models.some(({ classification }) => classification !== undefined)) {
    const asked = images.map(({ name, choice, scan }) => ({ name, choice, scan }));
    return predictClasses(models, { images: asked, others }, { ...options, limits: limitsOf(options) });
  }
  const facts = requireOneTask(models, requireSegmentation);
  const segmented = [...(await segmentImages(models, images, options)), ...others];
  await showFigures(options.json, { ...modelsOf(models), images: segmented }, () => describeMasks(segmented, facts));
  requireSomeAnswer(segmented);
}

async function predictPoints(
  inputs: readonly string[],
  models: readonly ModelFile[],
  modality: Modality | undefined,
  options: PredictOptions,
): Promise<void> {
  if (inputs.length > 0) {
    throw new FederationError('ARGUMENT_INVALID', 'name images or --points, not both: the table names its images');
  }
  const images = imagesAtPoints(options.points ?? '', modality);
  return predictClasses(models, { images, others: [] }, { ...options, limits: limitsOf(options) });
}

async function segmentImages(
  models: readonly ModelFile[],
  images: readonly ImageToSegment[],
  options: PredictOptions,
): Promise<readonly SegmentedImage[]> {
  if (images.length === 0) return [];
  await makeFolder(resolve(options.output));
  const limits = limitsOf(options);
  const modelPaths = models.map(({ path }) => path);
  const order = { kind: 'segment', limits, modelPaths, images, windows: windowPlan(options), likeTrained: true } as const;
  return (await openTrainerDesk().segment(order, 'segmenting')).images;
}

function limitsOf({ home, threads, device }: PredictOptions): TrainerLimits {
  return trainerLimits(loadAgentConfig({ home: home ?? defaultHome(), flags: { threads, device } }));
}

function readFrame(text: string | undefined): number | undefined {
  if (text === undefined || /^\d{1,9}$/.test(text)) return text === undefined ? undefined : Number(text);
  throw new FederationError('ARGUMENT_INVALID', `--frame ${text} is no whole number from 0`);
}

function readModality(text: string | undefined, models: readonly ModelFile[]): Modality | undefined {
  const { data, success } = modalityField.optional().safeParse(text?.toUpperCase());
  if (!success) throw new FederationError('ARGUMENT_INVALID', `--modality ${text} is neither CT nor MR`);
  const [learned] = models.flatMap(({ segmentation, classification }) => (segmentation ?? classification)?.modality ?? []);
  if (data === undefined || learned === undefined || data === learned) return data;
  throw new FederationError('ARGUMENT_INVALID', `--modality ${data}: the model was trained for ${learned}`);
}

function readFormat(text: string | undefined): MaskFormat {
  const format = MASK_FORMATS.find((known) => known === (text ?? 'nifti'));
  if (format !== undefined) return format;
  throw new FederationError('ARGUMENT_INVALID', `--format ${text} is neither of ${MASK_FORMATS.join(' and ')}`);
}

function asRefused({ path, reason }: RefusedImage): RefusedAnswer {
  return { name: path, refused: { code: 'VOLUME_UNSUITABLE', message: reason } };
}

function describeMasks(images: readonly SegmentedImage[], { classes }: SegmentationFacts): string {
  const rows = images.flatMap((image) => {
    if ('refused' in image) return [];
    const millilitres = image.foregroundVoxels.map((voxels) => ((voxels * image.voxelMm3) / 1000).toFixed(2));
    return [[image.maskPath ?? image.name, ...millilitres]];
  });
  const refused = describeRefused(images);
  const align = [undefined, ...classes.map(() => 'right' as const)];
  const table = rows.length === 0 ? [] : [formatTable(['mask', ...classes.map(({ name }) => `${name} ml`)], rows, { align })];
  return [...table, ...(table.length > 0 && refused.length > 0 ? [''] : []), ...refused].join('\n');
}
