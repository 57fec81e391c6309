import { dirname, resolve } from 'node:path';
import { Command, Option } from 'commander';
import { digestOfFile, FederationError, formatBytes } from '@consilium/shared/kernel';
import { type PublishedArchitecture, trainedParameterCount } from '@consilium/shared/models';
import { type ImportedCheckpoint, importCheckpoint } from '../checkpoints/import-checkpoint.js';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { writeModelFile } from '../finetuning/answers/model-file.js';
import { writeImportedPassport } from '../versions/made-passports.js';

interface ImportOptions {
  readonly output: string;
  readonly architecture?: PublishedArchitecture;
  readonly json?: boolean;
}

/** `site-agent import`: other people's PyTorch weights as a model file of ours. */
export function importCommand(): Command {
  return new Command('import')
    .description('read a public PyTorch checkpoint (Models Genesis, MedicalNet) as a model to start from')
    .argument('<checkpoint>', 'the .pt or .pth file, in either of PyTorch’s formats')
    .requiredOption('--output <file>', 'the model file to write, ending in .safetensors')
    .addOption(
      new Option('--architecture <name>', 'refuse the file unless it holds this network').choices([
        'genesis-unet3d',
        'medicalnet-resnet',
      ]),
    )
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
No code in the file is run: its pickle is read by a reader that knows numbers and containers only.

Examples:
  site-agent import Genesis_Chest_CT.pt --output genesis.safetensors
  site-agent import resnet_18_23dataset.pth --output medicalnet18.safetensors`,
    )
    .action(async (checkpoint: string, options: ImportOptions) => runImport(checkpoint, options));
}

async function runImport(checkpoint: string, { output, architecture, json }: ImportOptions): Promise<void> {
  const path = resolve(output);
  if (!path.endsWith('.safetensors')) {
    throw new FederationError('ARGUMENT_INVALID', `--output ${output} does not end in .safetensors`, {
      remedy: 'Name the file that is to be written, for example genesis.safetensors.',
    });
  }
  const imported = await importCheckpoint(checkpoint, architecture);
  await makeFolder(dirname(path));
  const { digest, bytes } = await writeModelFile(path, imported);
  const source = await digestOfFile(checkpoint);
  const passportPath = await writeImportedPassport(
    { path, digest, bytes, spec: imported.spec },
    { digest: source, form: imported.format, leftBehind: imported.leftBehind.length },
  );
  if (json === true) {
    const { weights, ...facts } = imported;
    console.log(JSON.stringify({ path, passportPath, digest, bytes, source, tensors: weights.length, ...facts }, null, 2));
    return;
  }
  console.log(`${path}  (${formatBytes(bytes)}, ${imported.weights.length} tensors)`);
  console.log(describe(imported).join('\n'));
}

function describe({ spec, format, bookKeeping, leftBehind, otherMembers }: ImportedCheckpoint): string[] {
  const form = format === 'zip' ? 'archive' : 'legacy pickle';
  const lines = [
    `read          ${describeNetwork(spec)}, ${trainedParameterCount(spec).toLocaleString('en')} parameters, from a PyTorch ${form}`,
  ];
  if (bookKeeping.length > 0) lines.push(`book-keeping  ${bookKeeping.length} counters and unused statistics, left behind`);
  if (otherMembers.length > 0) lines.push(`not weights   ${otherMembers.join(', ')}, left behind`);
  const [first] = leftBehind;
  if (first !== undefined) {
    const more = leftBehind.length > 1 ? ` and ${leftBehind.length - 1} more` : '';
    lines.push(`left behind   ${first}${more}: tensors that this network has no place for`);
  }
  return lines;
}

function describeNetwork(spec: ImportedCheckpoint['spec']): string {
  if (spec.architecture === 'medicalnet-resnet') {
    const shortcut = spec.shortcut === undefined ? '' : `, shortcut ${spec.shortcut}`;
    return `MedicalNet ResNet-${spec.depth}${shortcut}, width ${spec.width}, head ${spec.head}`;
  }
  return spec.architecture === 'genesis-unet3d' ? `Models Genesis U-Net, width ${spec.width}` : spec.architecture;
}
