/** Masks as DICOM Segmentation objects (PS3.3 section A.51): binary, one segment per class, in the series' own geometry. */
import { randomUUID } from 'node:crypto';
import { invariant } from '@consilium/shared/kernel';
import { writeFileWhole } from '@consilium/shared/weights';
import { rasLayout } from '../orientation.js';
import type { DicomSource } from '../volume-source.js';
import { unsuitable } from '../volume-fault.js';
import type { DicomAttributes } from './dicom-attributes.js';
import { DicomFile } from './dicom-file.js';
import { readDicomHeader } from './dicom-header.js';
import { TAG } from './dicom-tags.js';
import { readSeriesStacks } from './last-series.js';
import type { PlacedPlane, StackGrid } from './series-stack.js';
import { type DataSet, decimals, dicomFile, sequence, text, unsignedShort, type WrittenElement } from './write-elements.js';

const SEGMENTATION_STORAGE = '1.2.840.10008.5.1.4.1.1.66.4';

export interface SegmentationContent {
  /** In the RAS layout of the volume that the source reads as: 0 for none, class index + 1 elsewhere. */
  readonly classMap: Uint8Array;
  readonly classes: readonly { readonly name: string }[];
  /** Names what drew the masks, such as a task and its model. */
  readonly algorithm: string;
  readonly version: string;
}

/**
 * Writes the classes of one volume of a DICOM series as a Segmentation object that refers to the series' images. Patient and
 * examination are copied from the series, since an archive files objects by them: the file is as confidential as the scan.
 * Planes in which a class does not occur are left out; where nothing occurs at all, one blank plane stands. Throws VOLUME_UNSUITABLE when the series
 * states no frame of reference.
 */
export async function writeSegmentation(path: string, source: DicomSource, content: SegmentationContent): Promise<void> {
  const stack = (await readSeriesStacks(source.files))[source.stack];
  const planes = stack === undefined || stack.status === 'refused' ? undefined : stack.frames[source.frame];
  const [first] = planes ?? [];
  if (stack === undefined || stack.status === 'refused' || planes === undefined || first === undefined) {
    throw unsuitable('the series has changed since it was read', 'Try again.');
  }
  if (first.facts.frameOfReference === undefined) {
    throw unsuitable('the series states no frame of reference, which a DICOM segmentation must name', 'Write NIfTI instead.');
  }
  const attributes = await readAttributes(first.facts.path);
  const frames = framesOf(content, stack.grid);
  const sopInstance = newUid();
  const dataSet: DataSet = [
    ...copied(attributes),
    ...objectElements(sopInstance, first, content),
    ...pixelElements(frames, stack.grid),
    ...segmentElements(content),
    ...frameElements(frames, planes, stack.grid),
    ...referenceElements(planes),
  ];
  await writeFileWhole(path, [dicomFile(SEGMENTATION_STORAGE, sopInstance, dataSet)]);
}

async function readAttributes(path: string): Promise<DicomAttributes> {
  const file = await DicomFile.open(path);
  try {
    const header = await readDicomHeader(file);
    if (header === undefined) throw unsuitable('the series has changed since it was read', 'Try again.');
    return header.attributes;
  } finally {
    await file.close();
  }
}

/** One plane of one segment. */
interface SegmentFrame {
  readonly segment: number;
  readonly slice: number;
  /** Of each pixel, row by row. */
  readonly isInside: Uint8Array;
}

function framesOf({ classMap, classes }: SegmentationContent, grid: StackGrid): SegmentFrame[] {
  const [columns, rows, slices] = grid.sizeVoxels;
  const { base, steps } = rasLayout(grid.sizeVoxels, grid.orientation);
  const frameOf = (segment: number, slice: number): SegmentFrame => {
    const isInside = new Uint8Array(rows * columns);
    for (let pixel = 0; pixel < isInside.length; pixel++) {
      const read = base + slice * steps[2] + Math.floor(pixel / columns) * steps[1] + (pixel % columns) * steps[0];
      if (classMap[read] === segment) isInside[pixel] = 1;
    }
    return { segment, slice, isInside };
  };
  const filled = classes.flatMap((_, index) =>
    Array.from({ length: slices }, (__, slice) => frameOf(index + 1, slice)).filter(({ isInside }) => isInside.includes(1)),
  );
  return filled.length === 0 ? [frameOf(1, 0)] : filled; // an object has a frame, and this one is blank
}

/** Identifiers by which an archive files the object; empty where the series has none. */
function copied(attributes: DicomAttributes): DataSet {
  const copy = (tag: number, vr: string): WrittenElement => ({ tag, vr, value: attributes.bytes(tag) ?? '' });
  const characterSet = attributes.has(TAG.characterSet) ? [copy(TAG.characterSet, 'CS')] : [];
  return [
    ...characterSet,
    copy(TAG.patientName, 'PN'),
    copy(TAG.patientId, 'LO'),
    copy(TAG.patientBirthDate, 'DA'),
    copy(TAG.patientSex, 'CS'),
    copy(TAG.examinationInstance, 'UI'),
    copy(TAG.examinationDate, 'DA'),
    copy(TAG.examinationTime, 'TM'),
    copy(TAG.examinationId, 'SH'),
    copy(TAG.accessionNumber, 'SH'),
    copy(TAG.referringPhysician, 'PN'),
    copy(TAG.frameOfReference, 'UI'),
  ];
}

function objectElements(sopInstance: string, { facts }: PlacedPlane, { algorithm, version }: SegmentationContent): DataSet {
  const now = new Date().toISOString();
  const [date, time] = [now.slice(0, 10).replaceAll('-', ''), now.slice(11, 19).replaceAll(':', '')];
  return [
    text(TAG.sopClass, 'UI', SEGMENTATION_STORAGE),
    text(TAG.sopInstance, 'UI', sopInstance),
    text(TAG.imageType, 'CS', 'DERIVED\\PRIMARY'),
    text(0x00080023, 'DA', date),
    text(TAG.contentTime, 'TM', time),
    text(TAG.modality, 'CS', 'SEG'),
    text(TAG.manufacturer, 'LO', 'Consilium'),
    text(0x0008103e, 'LO', `Segmentation, research only: ${algorithm}`.slice(0, 64)),
    text(0x00081090, 'LO', 'Consilium site agent'),
    text(0x00181000, 'LO', '0'),
    text(0x00181020, 'LO', version.slice(0, 64)),
    text(TAG.seriesInstance, 'UI', newUid()),
    text(0x00200011, 'IS', '1000'),
    text(TAG.instanceNumber, 'IS', '1'),
    text(0x00201040, 'LO', ''),
    text(0x00282110, 'CS', '00'),
    text(0x00700080, 'CS', 'SEGMENTATION'),
    text(0x00700081, 'LO', `Of a ${facts.modality} series; not for diagnosis`.slice(0, 64)),
    text(0x00700084, 'PN', ''),
  ];
}

function pixelElements(frames: readonly SegmentFrame[], { sizeVoxels: [columns, rows] }: StackGrid): DataSet {
  return [
    unsignedShort(TAG.samplesPerPixel, 1),
    text(TAG.photometric, 'CS', 'MONOCHROME2'),
    text(TAG.numberOfFrames, 'IS', String(frames.length)),
    unsignedShort(TAG.rows, rows),
    unsignedShort(TAG.columns, columns),
    unsignedShort(TAG.bitsAllocated, 1),
    unsignedShort(TAG.bitsStored, 1),
    unsignedShort(TAG.highBit, 0),
    unsignedShort(TAG.pixelRepresentation, 0),
    text(0x00620001, 'CS', 'BINARY'),
    text(0x00620013, 'CS', 'NO'), // segments do not overlap
    { tag: TAG.pixelData, vr: 'OB', value: packBits(frames) },
  ];
}

/** One bit per pixel from the lowest bit on, frame after frame without a gap (PS3.5 section 8.1.1). */
function packBits(frames: readonly SegmentFrame[]): Uint8Array {
  const pixels = frames[0]?.isInside.length ?? 0;
  const packed = new Uint8Array(Math.ceil((pixels * frames.length) / 8));
  frames.forEach(({ isInside }, frame) => {
    for (let pixel = isInside.indexOf(1); pixel >= 0; pixel = isInside.indexOf(1, pixel + 1)) {
      const bit = frame * pixels + pixel;
      const byte = Math.floor(bit / 8);
      packed[byte] = (packed[byte] as number) | (1 << (bit % 8));
    }
  });
  return packed;
}

function segmentElements({ classes, algorithm }: SegmentationContent): DataSet {
  const items = classes.map(({ name }, index): DataSet => [
    unsignedShort(0x00620004, index + 1),
    text(0x00620005, 'LO', name),
    text(0x00620008, 'CS', 'AUTOMATIC'),
    text(0x00620009, 'LO', algorithm.slice(0, 64)),
    sequence(0x00620003, code('123037004', 'SCT', 'Anatomical Structure')),
    // A site's own class: its name is all that is known of it.
    sequence(0x0062000f, code(`CLASS-${index + 1}`, '99CONSILIUM', name)),
  ]);
  return [sequence(0x00620002, ...items)];
}

function code(value: string, scheme: string, meaning: string): DataSet {
  return [text(0x00080100, 'SH', value), text(0x00080102, 'SH', scheme), text(0x00080104, 'LO', meaning)];
}

const SEGMENT_NUMBER = 0x0062000b;
const SEGMENT_IDENTIFICATION = 0x0062000a;

/** Frames are ordered by segment, then along the stack; both are the object's dimensions. */
function frameElements(frames: readonly SegmentFrame[], planes: readonly PlacedPlane[], grid: StackGrid): DataSet {
  const organisation = newUid();
  const dimension = (pointer: number, group: number): DataSet => [
    text(0x00209164, 'UI', organisation),
    { tag: TAG.dimensionIndexPointer, vr: 'AT', value: [pointer] },
    { tag: 0x00209167, vr: 'AT', value: [group] },
  ];
  const [first] = planes;
  const stepMm = Math.hypot(...[0, 1, 2].map((row) => grid.affine[4 * row + 2] ?? 0));
  const shared: DataSet = [
    sequence(TAG.pixelMeasuresSequence, [
      decimals(TAG.sliceThickness, stepMm),
      decimals(TAG.spacingBetweenSlices, stepMm),
      decimals(TAG.pixelSpacing, ...(first?.spacingMm ?? [])),
    ]),
    sequence(TAG.planeOrientationSequence, [
      decimals(TAG.imageOrientation, ...(first?.rowDirection ?? []), ...(first?.columnDirection ?? [])),
    ]),
  ];
  const perFrame = frames.map(({ segment, slice }): DataSet => {
    const plane = planes[slice];
    invariant(plane !== undefined, 'each slice of the grid is a plane of the stack');
    return [
      sequence(TAG.frameContentSequence, [{ tag: TAG.dimensionIndexValues, vr: 'UL', value: [segment, slice + 1] }]),
      sequence(TAG.planePositionSequence, [decimals(TAG.imagePosition, ...plane.position)]),
      sequence(SEGMENT_IDENTIFICATION, [unsignedShort(SEGMENT_NUMBER, segment)]),
      derivedFrom(plane),
    ];
  });
  return [
    sequence(0x00209221, [text(0x00209164, 'UI', organisation)]),
    sequence(
      TAG.dimensionIndexSequence,
      dimension(SEGMENT_NUMBER, SEGMENT_IDENTIFICATION),
      dimension(TAG.imagePosition, TAG.planePositionSequence),
    ),
    sequence(TAG.sharedFunctionalGroups, shared),
    sequence(TAG.perFrameFunctionalGroups, ...perFrame),
  ];
}

function derivedFrom({ facts, plane }: PlacedPlane): WrittenElement {
  const frame = (facts.pixels?.frames ?? 1) > 1 ? [text(0x00081160, 'IS', String(plane.frame + 1))] : [];
  const image: DataSet = [
    ...instance(facts),
    ...frame,
    text(0x0028135a, 'CS', 'YES'), // the pixels lie where the image's do
    sequence(0x0040a170, code('121322', 'DCM', 'Source image for image processing operation')),
  ];
  return sequence(0x00089124, [sequence(0x00082112, image), sequence(0x00089215, code('113076', 'DCM', 'Segmentation'))]);
}

function instance({ sopClass, sopInstance }: PlacedPlane['facts']): DataSet {
  return [text(0x00081150, 'UI', sopClass), text(0x00081155, 'UI', sopInstance)];
}

/** The series and its images as a whole (common instance reference). */
function referenceElements(planes: readonly PlacedPlane[]): DataSet {
  const instances = new Map(planes.map(({ facts }) => [facts.sopInstance, instance(facts)] as const));
  const series = text(TAG.seriesInstance, 'UI', planes[0]?.facts.seriesInstance ?? '');
  return [sequence(0x00081115, [series, sequence(0x0008114a, ...instances.values())])];
}

/** PS3.5 section B.2: a UUID as a decimal number. */
function newUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
}
