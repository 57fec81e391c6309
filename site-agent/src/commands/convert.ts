import { access } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { spaceNeeded } from '../config/space-needed.js';
import { findScans, type FoundScan } from '../volumes/find-scan.js';
import { filesOfVolume } from '../volumes/nifti/nifti-pair.js';
import { writeNiftiVolume } from '../volumes/nifti/nifti-writer.js';
import { type Orientation, orientationOf } from '../volumes/orientation.js';
import { readVolume } from '../volumes/read-volume.js';
import type { ScanGeometry, ScanHeader } from '../volumes/scan-header.js';
import type { Volume } from '../volumes/volume.js';

interface ConvertOptions {
  readonly orientation: string;
  readonly frame: string;
  readonly series?: string;
  readonly force?: boolean;
}

/** `site-agent convert`: a scan as training sees it, before intensities are normalised, for other programs to open. */
export function convertCommand(): Command {
  return new Command('convert')
    .description('write a NIfTI or DICOM scan as the volume that training sees, before intensities are normalised')
    .argument('<input>', 'a NIfTI file (.nii, .nii.gz, .hdr or .img), a DICOM file, or a folder with a DICOM series')
    .argument('<output>', 'the file to write: .nii.gz or .nii')
    .option('--orientation <code>', 'towards where the stored axes grow, such as RAS or LPS', 'RAS')
    .option('--frame <number>', 'which volume of a scan with several (time points, echoes), from 0', '0')
    .option('--series <number>', 'which volume of a folder with several, from 0, as listed when it is left out')
    .option('--force', 'replace the output if there is one')
    .addHelpText(
      'after',
      `
Voxels become 32-bit floats, scaled as the source says (Hounsfield units in CT). Axes are permuted and flipped, nothing is
resampled: every voxel keeps its place in the patient. Nothing but voxels and geometry is copied: no name, date or free text.
A single DICOM file stands for its whole series, which is looked for in its folder.

Examples:
  site-agent convert scans/ct-abdomen/ abdomen.nii.gz              a DICOM series
  site-agent convert scan.nii.gz scan-lps.nii.gz --orientation LPS
  site-agent convert functional.nii.gz tenth.nii.gz --frame 9`,
    )
    .action(convert);
}

async function convert(input: string, output: string, options: ConvertOptions): Promise<void> {
  const orientation = readOrientation(options.orientation);
  const frame = readNumber('--frame', options.frame);
  await requireOutput(output);
  const scan = chooseSeries(await findScans(input), options.series, input);
  await refuseOverwriting(output, scan, options.force === true);
  const { frames } = scan.header.geometry;
  if (frame >= frames)
    throw wrong(`--frame ${frame}: the scan has ${frames === 1 ? 'one frame' : `${frames} frames`}, counted from 0`);
  const volume = await readVolume({ ...scan.source, frame });
  await writeNiftiVolume(output, volume, orientation).catch((thrown: unknown) => {
    throw spaceNeeded(FederationError.from(thrown), output);
  });
  console.log(`${output}: ${describeVolume(volume)}, ${options.orientation.toUpperCase()}${frameNote(frame, frames)}`);
  for (const remark of remarksOn(scan, volume)) console.log(`  note: ${remark}`);
}

function readOrientation(code: string): Orientation {
  const orientation = orientationOf(code);
  if (orientation !== undefined) return orientation;
  throw wrong(
    `--orientation ${code} is none`,
    'Give three letters, one of R or L, A or P, S or I each, such as RAS, LPS or PSR.',
  );
}

function readNumber(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw wrong(`${option} ${text} is no whole number from 0`);
}

async function requireOutput(output: string): Promise<void> {
  if (!/\.nii(\.gz)?$/i.test(output)) throw wrong(`the output ${output} is no NIfTI file name`, 'End it in .nii.gz or .nii.');
  const folder = dirname(resolve(output));
  if (await exists(folder)) return;
  throw new FederationError('FOLDER_MISSING', `there is no folder ${folder}`, { remedy: 'Make it first, or name another.' });
}

function chooseSeries(scans: readonly [FoundScan, ...FoundScan[]], series: string | undefined, input: string): FoundScan {
  const [first, ...others] = scans;
  if (series === undefined && others.length === 0) return first;
  const chosen = series === undefined ? undefined : scans[readNumber('--series', series)];
  if (chosen !== undefined) return chosen;
  const list = scans.map(({ header }, index) => `--series ${index}: ${describeScan(header)}`);
  throw wrong(`${input} holds ${scans.length} volumes; say which one`, list.join('\n  '));
}

/** Never the scan itself, whatever was asked for: a hospital's data is not ours to replace. */
async function refuseOverwriting(output: string, { source }: FoundScan, force: boolean): Promise<void> {
  const files = source.kind === 'nifti' ? await filesOfVolume(source.path) : source.files;
  if (files.some((file) => resolve(file) === resolve(output))) throw wrong('the output is the input', 'Name another file.');
  const exists = await access(output).then(
    () => true,
    () => false,
  );
  if (exists && !force)
    throw new FederationError('NAME_TAKEN', `${output} exists`, { remedy: 'Name another file, or add --force.' });
}

function remarksOn({ remarks }: FoundScan, { repairedVoxels }: Volume): string[] {
  const repaired = `${repairedVoxels} voxels were no finite numbers and became the smallest value`;
  return repairedVoxels > 0 ? [...remarks, repaired] : [...remarks];
}

function describeVolume(volume: Volume): string {
  return `${sizeOf(volume)} voxels of ${volume.spacingMm.map((mm) => Number(mm.toFixed(3))).join(' × ')} mm`;
}

function sizeOf({ sizeVoxels }: Pick<ScanGeometry, 'sizeVoxels'>): string {
  return sizeVoxels.join(' × ');
}

function describeScan({ modality, geometry }: ScanHeader): string {
  const frames = geometry.frames === 1 ? '' : `, ${geometry.frames} frames`;
  return `${modality === undefined ? '' : `${modality} `}${sizeOf(geometry)}${frames}`;
}

function frameNote(frame: number, frames: number): string {
  return frames === 1 ? '' : `; frame ${frame} of 0 to ${frames - 1}`;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function wrong(message: string, remedy?: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', message, { remedy });
}
