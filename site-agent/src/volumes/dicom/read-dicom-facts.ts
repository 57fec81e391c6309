import { faultOf, unreadable } from '../volume-fault.js';
import type { DicomAttributes } from './dicom-attributes.js';
import type { DicomFacts, PixelFacts, PlaneFacts } from './dicom-facts.js';
import { DicomFile } from './dicom-file.js';
import { type DicomHeader, readDicomHeader } from './dicom-header.js';
import { readPrivacy } from './dicom-identity.js';
import { PRIVATE, TAG } from './dicom-tags.js';
import { enhancedPlanes, sharedMacro } from './functional-groups.js';
import { readPixelFacts } from './pixel-facts.js';
import { placeOfObject, readPlane } from './plane-facts.js';
import { shownBodyPart, shownModality } from './shown-words.js';
import { type Mosaic, mosaicPlanes, readMosaic } from './siemens-mosaic.js';

/**
 * What the header of a DICOM file says; undefined when the file is not DICOM. Reads little more than the header, however
 * large the file. VOLUME_UNREADABLE when the file is DICOM but damaged; the message names it.
 */
export async function readDicomFacts(path: string): Promise<DicomFacts | undefined> {
  try {
    const file = await DicomFile.open(path);
    try {
      const header = await readDicomHeader(file);
      return header === undefined ? undefined : factsOf(path, header, file.sizeBytes);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw faultOf(error, path);
  }
}

/** The facts of a header; `sizeBytes` bounds what the header may claim. */
export function factsOf(path: string, header: DicomHeader, sizeBytes: number): DicomFacts {
  const { attributes, pixelData } = header;
  const mosaic = readMosaic(attributes);
  const pixels = pixelData === undefined ? undefined : readPixelFacts(attributes, pixelData.tag, mosaic);
  if (pixels !== undefined && pixels.frames > 1 && pixels.frames > sizeBytes / 8) {
    throw unreadable('the DICOM header is damaged: it names more frames than the file can hold');
  }
  const patientId = attributes.text(TAG.patientId);
  return {
    path,
    transferSyntax: header.transferSyntax,
    sopClass: attributes.text(TAG.sopClass) ?? header.mediaStorageClass ?? '',
    sopInstance: attributes.text(TAG.sopInstance) ?? '',
    modality: shownModality(attributes.text(TAG.modality)),
    seriesInstance: attributes.text(TAG.seriesInstance) ?? '',
    examinationInstance: attributes.text(TAG.examinationInstance) ?? '',
    frameOfReference: attributes.text(TAG.frameOfReference),
    patientId,
    bodyPart: shownBodyPart(attributes.text(TAG.bodyPart), [attributes.text(TAG.patientName), patientId]),
    manufacturer: attributes.text(TAG.manufacturer),
    imageType: attributes.texts(TAG.imageType).filter((text) => text !== ''),
    pixels,
    planes: pixels === undefined ? [] : readPlanes(attributes, pixels, mosaic),
    instanceNumber: attributes.number(TAG.instanceNumber),
    ...readOrder(attributes),
    gantryTilt: attributes.number(TAG.gantryTilt),
    sliceThicknessMm: sliceMeasure(attributes, TAG.sliceThickness),
    spacingBetweenSlicesMm: sliceMeasure(attributes, TAG.spacingBetweenSlices),
    privacy: readPrivacy(attributes),
  };
}

function readPlanes(attributes: DicomAttributes, pixels: PixelFacts, mosaic: Mosaic | undefined): PlaneFacts[] {
  if (attributes.has(TAG.perFrameFunctionalGroups)) return enhancedPlanes(attributes, pixels.frames);
  const stated = placeOfObject(attributes);
  if (pixels.frames > 1) {
    // Only the first frame's place is known, so that none can be trusted.
    const unplaced = { ...stated, position: [] };
    return Array.from({ length: pixels.frames }, (_, frame) => readPlane(frame, unplaced));
  }
  const plane = readPlane(0, stated);
  if (mosaic === undefined) return [plane];
  const stepMm = sliceMeasure(attributes, TAG.spacingBetweenSlices) ?? sliceMeasure(attributes, TAG.sliceThickness);
  return mosaicPlanes(plane, mosaic, pixels.rows, pixels.columns, stepMm);
}

function readOrder(attributes: DicomAttributes) {
  const diffusion = sharedMacro(attributes, TAG.mrDiffusionSequence);
  const echo = sharedMacro(attributes, TAG.mrEchoSequence);
  return {
    acquisitionNumber: attributes.number(TAG.acquisitionNumber),
    temporalPosition: attributes.number(TAG.temporalPosition),
    triggerTimeMs: attributes.number(TAG.triggerTime),
    echoTimeMs: attributes.number(TAG.echoTime) ?? echo?.number(TAG.effectiveEchoTime),
    echoNumber: attributes.number(TAG.echoNumber),
    bValue: attributes.number(TAG.bValue) ?? privateBValue(attributes) ?? diffusion?.number(TAG.bValue),
    acquisitionTimeS: secondsOf(attributes.text(TAG.acquisitionTime) ?? attributes.text(TAG.acquisitionDateTime)?.slice(8)),
    contentTimeS: secondsOf(attributes.text(TAG.contentTime)),
  };
}

/** Where scanners wrote the b-value before the standard had a place for it. */
function privateBValue(attributes: DicomAttributes): number | undefined {
  for (const place of [PRIVATE.siemensBValue, PRIVATE.philipsBValue, PRIVATE.geBValue]) {
    const tag = attributes.privateTag(place);
    const value = tag === undefined ? undefined : attributes.number(tag);
    if (value !== undefined && value >= 0) return place === PRIVATE.geBValue ? value % 1e9 : value; // GE adds a billion
  }
  return undefined;
}

function sliceMeasure(attributes: DicomAttributes, tag: number): number | undefined {
  const value = attributes.number(tag) ?? sharedMacro(attributes, TAG.pixelMeasuresSequence)?.number(tag);
  return value !== undefined && Math.abs(value) > 0 ? Math.abs(value) : undefined;
}

/** DICOM time, HHMMSS.FFFFFF, or with colons as the oldest files have it; less precise forms end early. */
function secondsOf(time: string | undefined): number | undefined {
  const match = /^(\d{2}):?(\d{2})?:?(\d{2}(?:\.\d{1,6})?)?/.exec(time ?? '');
  if (match === null) return undefined;
  return Number(match[1]) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0);
}
