import type { DicomFacts, PixelFacts } from './dicom-facts.js';
import { shownPhotometric, shownSyntax } from './shown-words.js';
import { codecOf } from './transfer-syntax.js';

/** Of one decoded frame. */
const MOST_FRAME_BYTES = 256 * 1024 * 1024;

/** Why the pixels of a file are not read, in one line; undefined when they are. Needs the header alone. */
export function whyPixelsUnsuitable({ pixels, transferSyntax }: DicomFacts): string | undefined {
  if (pixels === undefined) return 'there are no pixels in it';
  const codec = codecOf(transferSyntax);
  if (codec === undefined) return `its pixels are encoded in a way that is not read (${shownSyntax(transferSyntax)})`;
  return whyFormUnsuitable(pixels) ?? whyWordUnsuitable(pixels, codec !== 'none');
}

function whyFormUnsuitable({ samplesPerPixel, photometric, rows, columns, bitsAllocated }: PixelFacts): string | undefined {
  if (photometric === 'PALETTE COLOR' || samplesPerPixel > 1)
    return `its pixels are colours (${shownPhotometric(photometric)}), not measured values`;
  if (!photometric.startsWith('MONOCHROME')) return `its pixels are no measured values (${shownPhotometric(photometric)})`;
  if ((rows * columns * bitsAllocated) / 8 > MOST_FRAME_BYTES) return `its pictures of ${columns}×${rows} pixels are too large`;
  return undefined;
}

function whyWordUnsuitable({ bitsAllocated, bitsStored, floating }: PixelFacts, encoded: boolean): string | undefined {
  if (floating) {
    if (encoded) return 'its floating-point pixels are compressed';
    return bitsAllocated === 32 || bitsAllocated === 64 ? undefined : `its floating-point pixels have ${bitsAllocated} bits`;
  }
  if (bitsAllocated === 1 || bitsStored === 1) return 'its pixels have one bit each: a mask, not a scan';
  if (![8, 16, 32].includes(bitsAllocated)) return `its pixels have ${bitsAllocated} bits each`;
  if (encoded && bitsAllocated === 32) return 'its compressed pixels have 32 bits each';
  return undefined;
}
