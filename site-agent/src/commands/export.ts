import { basename, dirname, join, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { FederationError, formatBytes } from '@consilium/shared/kernel';
import type { ModelSpec } from '@consilium/shared/models';
import { writeFileWhole } from '@consilium/shared/weights';
import { makeFolder } from '../finetuning/finetune-folder.js';
import { readModelFile, writeModelFile } from '../finetuning/model-file.js';
import { PYTORCH_MODULE, PYTORCH_MODULE_FILE } from '../finetuning/pytorch-module.js';

interface ExportOptions {
  readonly model: string;
  readonly output: string;
  readonly dtype: 'F32' | 'F16' | 'BF16';
  readonly json?: boolean;
}

/** `site-agent export`: a model as safetensors with PyTorch's names and layout, and the network as a Python module. */
export function exportCommand(): Command {
  return new Command('export')
    .description('write a model as safetensors for PyTorch, with the network as a Python module beside it')
    .requiredOption('--model <file>', 'a pretrained or fine-tuned model file, or a folder of "finetune"')
    .requiredOption('--output <file>', 'the file to write, ending in .safetensors')
    .addOption(new Option('--dtype <dtype>', 'number format of the weights').choices(['F32', 'F16', 'BF16']).default('F32'))
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExample:\n  site-agent export --model finetuned/liver --output liver.safetensors')
    .action(async (options: ExportOptions) => exportModel(options));
}

async function exportModel({ model: location, output, dtype, json }: ExportOptions): Promise<void> {
  const path = resolve(output);
  if (!path.endsWith('.safetensors')) {
    throw new FederationError('ARGUMENT_INVALID', `--output ${output} does not end in .safetensors`, {
      remedy: 'Name the file that is to be written, for example liver.safetensors.',
    });
  }
  const model = await readModelFile(location);
  await makeFolder(dirname(path));
  const { digest, bytes } = await writeModelFile(path, model, dtype);
  const modulePath = await writeModule(model.spec, dirname(path));
  if (json === true) {
    console.log(
      JSON.stringify({ path, modulePath, digest, bytes, spec: model.spec, segmentation: model.segmentation ?? null }, null, 2),
    );
    return;
  }
  console.log(`${path}  (${formatBytes(bytes)}, ${model.weights.length} tensors)`);
  console.log(modulePath === null ? describeNames(model.spec) : describeModule(modulePath, path));
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
