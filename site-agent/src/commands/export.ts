import { basename, dirname, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { FederationError, formatBytes } from '@consilium/shared/kernel';
import { exportCheckpoint, type ModelSpec } from '@consilium/shared/models';
import { writeFileWhole } from '@consilium/shared/weights';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { writeModelFile } from '../finetuning/answers/model-file.js';
import { PYTORCH_MODULE, PYTORCH_MODULE_FILE } from '../finetuning/pytorch-module.js';
import { writeExportedPassport } from '../versions/made-passports.js';
import { MODEL_NAMES, openModel } from './find-model.js';

type ExportFormat = 'safetensors' | 'pytorch';

/** How the file of each format may end. */
const ENDINGS: Readonly<Record<ExportFormat, readonly string[]>> = { safetensors: ['.safetensors'], pytorch: ['.pt', '.pth'] };

interface ExportOptions {
  readonly home: string;
  readonly model: string;
  readonly output: string;
  readonly format: ExportFormat;
  readonly published?: boolean;
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly json?: boolean;
}

/** `site-agent export`: a model in PyTorch's layout, as safetensors with the network as a Python module, or as a checkpoint. */
export function exportCommand(): Command {
  return new Command('export')
    .description('write a model for PyTorch: as safetensors with the network as a Python module, or as a checkpoint')
    .requiredOption('--model <model>', `a pretrained or fine-tuned model: ${MODEL_NAMES}`)
    .requiredOption('--output <file>', 'the file to write, ending in .safetensors, or in .pt or .pth with --format pytorch')
    .addOption(new Option('--format <format>', 'what kind of file').choices(Object.keys(ENDINGS)).default('safetensors'))
    .option('--published', 'with --format pytorch: as the published modules’ own code loads it (module. names, epoch, buffers)')
    .addOption(new Option('--dtype <dtype>', 'number format of the weights').choices(['F32', 'F16', 'BF16']).default('F32'))
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Examples:
  site-agent export --model finetuned/liver --output liver.safetensors
  site-agent export --model genesis.safetensors --format pytorch --published --output Genesis_ours.pt`,
    )
    .action(async (_options: unknown, command: Command) => exportModel(command.optsWithGlobals<ExportOptions>()));
}

async function exportModel(options: ExportOptions): Promise<void> {
  const { home, model: location, output, format, dtype, json } = options;
  const published = requirePublishedFormat(options);
  const path = requireEnding(resolve(output), format);
  const model = await openModel(location, home);
  await makeFolder(dirname(path));
  const { digest, bytes } =
    format === 'pytorch' ? await exportCheckpoint(path, model, { dtype, published }) : await writeModelFile(path, model, dtype);
  const written = { path, digest, bytes, spec: model.spec };
  const passportPath = (await writeExportedPassport(written, { form: format, dtype }, model.path)) ?? null;
  const modulePath = format === 'pytorch' ? null : await writeModule(model.spec, dirname(path));
  if (json === true) {
    console.log(
      JSON.stringify(
        { path, modulePath, passportPath, digest, bytes, spec: model.spec, segmentation: model.segmentation ?? null },
        null,
        2,
      ),
    );
    return;
  }
  console.log(`${path}  (${formatBytes(bytes)}, ${model.weights.length} tensors)`);
  if (format === 'pytorch') console.log(describeCheckpoint(model.spec, published));
  else console.log(modulePath === null ? describeNames(model.spec) : describeModule(modulePath, path));
}

function requireEnding(path: string, format: ExportFormat): string {
  const endings = ENDINGS[format];
  if (endings.some((ending) => path.endsWith(ending))) return path;
  throw new FederationError('ARGUMENT_INVALID', `--output ${basename(path)} does not end in ${endings.join(' or ')}`, {
    remedy: `Name the file that is to be written, for example liver${endings[0]}.`,
  });
}

function requirePublishedFormat({ published, format }: ExportOptions): boolean {
  if (published !== true || format === 'pytorch') return published === true;
  throw new FederationError('ARGUMENT_INVALID', '--published is a kind of PyTorch file', { remedy: 'Add --format pytorch.' });
}

function describeCheckpoint(spec: ModelSpec, published: boolean): string {
  const names = published ? 'module. names, counters and buffers' : 'the published names without module.';
  const lines = [`torch.load(FILE, weights_only=True)["state_dict"] has ${names}.`];
  const isOtherWidth = spec.architecture === 'genesis-unet3d' ? spec.width !== 32 : 'width' in spec && spec.width !== 64;
  if (published && isOtherWidth) lines.push('The published module is wider: give it this width before it loads the file.');
  return lines.join('\n');
}

/** The network beside its weights; null for architectures whose own program loads them. */
async function writeModule({ architecture }: ModelSpec, folder: string): Promise<string | null> {
  if (architecture !== 'genesis-unet3d') return null;
  const modulePath = join(folder, PYTORCH_MODULE_FILE);
  await writeFileWhole(modulePath, [Buffer.from(PYTORCH_MODULE)]);
  return modulePath;
}

function describeModule(modulePath: string, path: string): string {
  return [
    `${modulePath}  (the network)`,
    '',
    'In Python, from that folder, with torch and safetensors installed:',
    `  from ${basename(PYTORCH_MODULE_FILE, '.py')} import load`,
    `  model, facts = load("${basename(path)}")`,
    '  probabilities = model(patches)   # [patch, 1, x, y, z], intensities in [0, 1], sides multiples of 8',
  ].join('\n');
}

function describeNames({ architecture }: ModelSpec): string {
  switch (architecture) {
    case 'genesis-unet3d':
    case 'genesis-classifier':
    case 'universal-model':
      return 'The encoder has the tensor names of an exported genesis-unet3d; head.0 and head.2 are linear layers.';
    case 'medicalnet-resnet':
      return 'The tensor names are those of MedicalNet’s models/resnet.py (load_state_dict with strict=False).';
    case 'residual-unet3d':
      return 'The tensor names are those of ResidualEncoderUNet in nnU-Net’s dynamic-network-architectures (strict=False).';
  }
}
