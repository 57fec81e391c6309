import { readdirSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { FederationError } from '@consilium/shared/kernel';
import { headerFileOf, isVolumeFileName } from '../../volumes/nifti/nifti-pair.js';
import type { Modality } from '../../volumes/volume.js';
import type { ScanChoice } from '../cases/case-scan.js';
import { type DicomImage, findDicomImages, type RefusedImage } from './find-dicom-images.js';
import type { ImageToSegment, MaskFormat } from './image-to-segment.js';
import { caseName } from '../tasks/task-file.js';

const MASK_SUFFIXES: Readonly<Record<MaskFormat, string>> = { nifti: '_mask.nii.gz', 'dicom-seg': '_seg.dcm' };
const PROBABILITY_MARK = '_probability_';
/** Of what earlier calls left beside the images. */
const ANSWER_FILE = new RegExp(`(${MASK_SUFFIXES.nifti.replaceAll('.', '\\.')}|${PROBABILITY_MARK}[^/]*\\.nii\\.gz)$`);

/** What is wanted of each image. */
export interface AnswerPlan {
  readonly outputFolder: string;
  /** Of each scan with several; the first when left out. */
  readonly frame?: number | undefined;
  /** Of the images that do not say. */
  readonly modality?: Modality | undefined;
  readonly format?: MaskFormat;
  readonly probabilities?: boolean;
}

/** What there is to segment, and what was found beside it that cannot be. */
export interface ImagesFound {
  readonly images: readonly ImageToSegment[];
  readonly refused: readonly RefusedImage[];
}

/** An image and its mask's path below the output folder, without the ending. */
interface PlacedImage {
  readonly image: Pick<ImageToSegment, 'choice' | 'scan'>;
  readonly place: string;
}

/**
 * The images that files and folders name, each with the path of its mask below the output folder. Folders are searched to
 * the bottom, for NIfTI by name and DICOM by content, and keep their structure. A NIfTI image's mask is called like the file; a
 * DICOM volume's like the folder of its files, with a number where a folder holds several. Any file of a DICOM series stands
 * for its volume. An image that is named twice counts once, and answers of an earlier call count not at all. Throws NOT_FOUND for a path that is not there, ARGUMENT_INVALID when two masks would get one name.
 */
export async function imagesToSegment(
  inputs: readonly string[],
  { outputFolder, frame, modality, format = 'nifti', probabilities = false }: AnswerPlan,
): Promise<ImagesFound> {
  const masks = new Map<string, ImageToSegment>();
  const { placed, refused } = await search(inputs.map((input) => resolve(input)));
  for (const { image, place } of placed) {
    const answerPath = join(resolve(outputFolder), place);
    const maskPath = `${answerPath}${MASK_SUFFIXES[format]}`;
    const other = masks.get(maskPath);
    const asked = {
      name: place,
      ...specified(image, { ...(frame !== undefined && { frame }), ...(modality && { modality }) }),
      maskPath,
      ...(format !== 'nifti' && { maskFormat: format }),
      ...(probabilities && { probabilityStem: `${answerPath}${PROBABILITY_MARK}` }),
    };
    if (other !== undefined && !isDeepStrictEqual(other, asked)) {
      const [one, two] = [other.choice.path, asked.choice.path];
      throw new FederationError('ARGUMENT_INVALID', `the masks of ${one} and ${two} would have the same name`, {
        remedy: 'Name the folder above both: masks keep its structure. Or predict into two output folders.',
      });
    }
    masks.set(maskPath, asked);
  }
  return { images: [...masks.values()], refused };
}

/** What was found already keeps what its header says. */
function specified({ choice, scan }: PlacedImage['image'], asked: Pick<ScanChoice, 'frame' | 'modality'>): PlacedImage['image'] {
  const named = { choice: { ...choice, ...asked } };
  if (scan === undefined) return named;
  const { frame = scan.source.frame, modality } = asked;
  return { ...named, scan: { ...scan, modality: scan.modality ?? modality, source: { ...scan.source, frame } } };
}

interface Search {
  readonly placed: readonly PlacedImage[];
  readonly refused: readonly RefusedImage[];
}

async function search(inputs: readonly string[]): Promise<Search> {
  const found: Search[] = [];
  const unclear: string[] = [];
  for (const input of inputs) {
    const stats = statSync(input, { throwIfNoEntry: false });
    if (stats === undefined) {
      throw new FederationError('NOT_FOUND', `there is no image or folder ${input}`, { remedy: 'Check the path.' });
    }
    const header = await headerFileOf(input).catch(() => input); // some scanners call DICOM files .img
    if (stats.isDirectory()) found.push(await imagesUnder(input));
    else if (isVolumeFileName(header)) found.push({ placed: [placeFile(header)], refused: [] });
    else unclear.push(input);
  }
  return joined([...found, await imagesOfFiles(unclear)]);
}

async function imagesUnder(folder: string): Promise<Search> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const nifti = files.filter((path) => isVolumeFileName(path) && !ANSWER_FILE.test(path));
  const { images, refused } = await findDicomImages(files.filter((path) => !isVolumeFileName(path)));
  return {
    placed: [
      ...nifti.map((path) => ({ image: { choice: { path } }, place: join(relative(folder, dirname(path)), caseName(path)) })),
      ...placeDicom(images, folder),
    ],
    refused,
  };
}

/** Files whose names do not tell: they are looked at with the other files of their folder, once. */
async function imagesOfFiles(files: readonly string[]): Promise<Search> {
  const found: Search[] = [];
  for (const folder of new Set(files.map((path) => dirname(path)))) {
    const named = new Set(files.filter((path) => dirname(path) === folder));
    const around = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.isDirectory());
    const dicom = await findDicomImages(around.map(({ name }) => join(folder, name)).sort());
    const isNamed = (entry: { readonly files: readonly string[] }): boolean => entry.files.some((path) => named.has(path));
    // All volumes of the folder are named before the wanted ones are chosen: a volume keeps its name whoever asks for it.
    const placed = placeDicom(dicom.images, folder).filter(isNamed);
    const refused = dicom.refused.filter(isNamed);
    const known = new Set([...placed, ...refused].flatMap((entry) => entry.files));
    // Read by their content in the end, or refused with the reason.
    const others = [...named].filter((path) => !known.has(path)).map(placeFile);
    found.push({ placed: [...placed, ...others], refused });
  }
  return joined(found);
}

function placeFile(path: string): PlacedImage {
  return { image: { choice: { path } }, place: caseName(path) };
}

/** Below the folder that was searched: a volume of one file is called like it, others like their folder. */
function placeDicom(images: readonly DicomImage[], searched: string): (PlacedImage & { readonly files: readonly string[] })[] {
  return images.map((image) => {
    const { path, files, scan } = image;
    const beside = images.filter((other) => other.path === path);
    const number = beside.length > 1 ? `-${beside.indexOf(image) + 1}` : '';
    const above = path === searched ? '' : relative(searched, dirname(path));
    return { image: { choice: { path }, scan }, place: join(above, `${caseName(path)}${number}`), files };
  });
}

function joined(found: readonly Search[]): Search {
  return { placed: found.flatMap(({ placed }) => placed), refused: found.flatMap(({ refused }) => refused) };
}
