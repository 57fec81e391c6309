import { FederationError } from '@consilium/shared/kernel';
import { digestOfFrame, digestOfScan } from '../../volumes/digest-of-scan.js';
import type { Digest } from '@consilium/shared/kernel';
import { findScans, type FoundScan } from '../../volumes/find-scan.js';
import { filesOfVolume } from '../../volumes/nifti/nifti-pair.js';
import { unsuitable } from '../../volumes/volume-fault.js';
import type { VolumeSource } from '../../volumes/volume-source.js';
import type { Modality } from '../../volumes/volume.js';
import type { CaseFiles } from '../tasks/finetune-case.js';

/** How a person names one volume: a file or folder, and which of its volumes where there are several. */
export interface ScanChoice {
  readonly path: string;
  /** Which volume of a folder, from 0, counted as "convert" counts them. */
  readonly series?: number | undefined;
  /** Which frame (time point, echo) of the volume, from 0; the first when left out. */
  readonly frame?: number | undefined;
  /** For a volume whose header states none, as NIfTI never does; the values tell when left out. */
  readonly modality?: Modality | undefined;
}

/** One volume as its headers present it: enough to read it. */
export interface CaseScan {
  readonly source: VolumeSource;
  /** As the header or a person states it. */
  readonly modality: Modality | undefined;
  readonly frames: number;
}

/**
 * The volume that a person means: NIfTI, a DICOM file (which stands for its series) or a folder with DICOM files. Throws
 * VOLUME_UNREADABLE or VOLUME_UNSUITABLE with the reason, also when there are several and none was chosen, or when the header
 * contradicts the person.
 */
export async function findCaseScan({ path, series, frame = 0, modality }: ScanChoice): Promise<CaseScan> {
  const scans = await findScans(path).catch((thrown: unknown) => {
    const { code, message, remedy } = FederationError.from(thrown);
    throw code === 'NOT_FOUND' ? unsuitable(message, remedy) : thrown;
  });
  const { header, source } = chooseScan(scans, series, path);
  if (header.modality !== undefined && modality !== undefined && header.modality !== modality) {
    throw unsuitable(`its header says ${header.modality}, not ${modality}`, 'Correct or leave out what is said of its modality.');
  }
  return { source: { ...source, frame }, modality: header.modality ?? modality, frames: header.geometry.frames };
}

/** The volume of a case. */
export function choiceOf({ image, series, frame, modality }: Omit<CaseFiles, 'name'>): ScanChoice {
  return { path: image, series, frame, modality };
}

/** The same for cases, such as patches, that read the same volume in the same way. */
export function scanKey({ image, series, frame, modality }: Omit<CaseFiles, 'name'>): string {
  return `${image}#${series ?? ''}#${frame ?? ''}#${modality ?? ''}`;
}

function chooseScan(scans: readonly [FoundScan, ...FoundScan[]], series: number | undefined, path: string): FoundScan {
  const [first, ...others] = scans;
  if (series === undefined && others.length === 0) return first;
  const chosen = series === undefined ? undefined : scans[series];
  if (chosen !== undefined) return chosen;
  const list = scans.map(({ header: { modality, geometry } }, index) => {
    return `series ${index}: ${modality === undefined ? '' : `${modality} `}${geometry.sizeVoxels.join(' × ')}`;
  });
  const count = others.length === 0 ? 'one volume' : `${scans.length} volumes`;
  const wish = series === undefined ? 'say which one' : `and none is number ${series}`;
  throw unsuitable(`${path} holds ${count}; ${wish}`, `Give "series" with the image: ${list.join(', ')}.`);
}

/** Names the bytes of one volume, whatever its files are called. */
export async function digestOfCaseScan({ source }: CaseScan): Promise<Digest> {
  const scan =
    source.kind === 'nifti'
      ? { kind: source.kind, files: await filesOfVolume(source.path), stack: 0 }
      : { kind: source.kind, files: source.files, stack: source.stack };
  return digestOfFrame(await digestOfScan(scan), source.frame);
}

/** A line for those who did not know that a scan holds more than the frame that is used; undefined when it does not. */
export function frameNote(name: string, { source, frames }: CaseScan, chosen: number | undefined): string | undefined {
  if (frames === 1 || chosen !== undefined) return undefined;
  return `${name} holds ${frames} volumes (time points or echoes); the first is used, frame ${source.frame}`;
}
