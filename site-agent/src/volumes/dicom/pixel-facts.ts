import { unreadable } from '../volume-fault.js';
import type { DicomAttributes } from './dicom-attributes.js';
import type { PixelFacts } from './dicom-facts.js';
import { TAG } from './dicom-tags.js';
import type { Mosaic } from './siemens-mosaic.js';

const MOST_SIDE = 65_535;
const MOST_FRAMES = 100_000;

/** Group 0028 of an object that has pixels. VOLUME_UNREADABLE when it cannot be. */
export function readPixelFacts(attributes: DicomAttributes, pixelTag: number, mosaic: Mosaic | undefined): PixelFacts {
  const bitsAllocated = wholeNumber(attributes, TAG.bitsAllocated, 64, defaultBits(pixelTag));
  const bitsStored = Math.min(wholeNumber(attributes, TAG.bitsStored, 64, bitsAllocated), bitsAllocated);
  const highBit = attributes.number(TAG.highBit) ?? bitsStored - 1;
  const signed = attributes.number(TAG.pixelRepresentation) === 1;
  const rows = wholeNumber(attributes, TAG.rows, MOST_SIDE);
  const columns = wholeNumber(attributes, TAG.columns, MOST_SIDE);
  if (mosaic !== undefined && (rows % mosaic.side !== 0 || columns % mosaic.side !== 0)) {
    throw unreadable('the DICOM header is damaged: the mosaic does not divide into its tiles');
  }
  return {
    rows,
    columns,
    frames: wholeNumber(attributes, TAG.numberOfFrames, MOST_FRAMES, 1),
    planeRows: rows / (mosaic?.side ?? 1),
    planeColumns: columns / (mosaic?.side ?? 1),
    samplesPerPixel: wholeNumber(attributes, TAG.samplesPerPixel, 16, 1),
    photometric: attributes.text(TAG.photometric)?.toUpperCase() ?? 'MONOCHROME2',
    bitsAllocated,
    bitsStored,
    highBit: highBit >= bitsStored - 1 && highBit < bitsAllocated ? highBit : bitsStored - 1,
    signed,
    floating: pixelTag !== TAG.pixelData,
    padding: readPadding(attributes, bitsAllocated, signed),
  };
}

function readPadding(attributes: DicomAttributes, bits: number, signed: boolean): PixelFacts['padding'] {
  const stored = (tag: number): number | undefined => {
    const value = attributes.number(tag);
    if (value === undefined) return undefined;
    // The value is stored like the pixels, whatever representation its element claims.
    if (signed && value >= 0x8000 && bits <= 16) return value - 0x10000;
    return !signed && value < 0 ? value + 0x10000 : value;
  };
  const one = stored(TAG.pixelPadding);
  if (one === undefined) return undefined;
  const other = stored(TAG.pixelPaddingLimit) ?? one;
  return [Math.min(one, other), Math.max(one, other)];
}

function wholeNumber(attributes: DicomAttributes, tag: number, most: number, ifAbsent?: number): number {
  const value = attributes.number(tag) ?? ifAbsent;
  if (value !== undefined && Number.isInteger(value) && value >= 1 && value <= most) return value;
  const name = Object.entries(TAG).find(([, number]) => number === tag)?.[0] ?? 'size';
  throw unreadable(`the DICOM header is damaged: it does not say the picture's ${NAMES[name] ?? name}`);
}

const NAMES: Readonly<Record<string, string>> = { bitsAllocated: 'bits per pixel', numberOfFrames: 'number of frames' };

function defaultBits(pixelTag: number): number | undefined {
  if (pixelTag === TAG.doublePixelData) return 64;
  return pixelTag === TAG.floatPixelData ? 32 : undefined;
}
