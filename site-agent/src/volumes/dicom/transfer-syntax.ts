/** How the pixels of a file are encoded: as they are, or by one of the codecs. */
export type PixelCodec = 'none' | 'rle' | 'jpeg' | 'jpeg-lossless' | 'jpeg-ls' | 'jpeg-2000' | 'ht-jpeg-2000';

const ROOT = '1.2.840.10008.1.2';

const CODECS: ReadonlyMap<string, PixelCodec> = new Map([
  [ROOT, 'none'],
  [`${ROOT}.1`, 'none'],
  [`${ROOT}.1.99`, 'none'],
  [`${ROOT}.2`, 'none'],
  [`${ROOT}.5`, 'rle'],
  [`${ROOT}.4.50`, 'jpeg'],
  [`${ROOT}.4.51`, 'jpeg'],
  [`${ROOT}.4.57`, 'jpeg-lossless'],
  [`${ROOT}.4.70`, 'jpeg-lossless'],
  [`${ROOT}.4.80`, 'jpeg-ls'],
  [`${ROOT}.4.81`, 'jpeg-ls'],
  [`${ROOT}.4.90`, 'jpeg-2000'],
  [`${ROOT}.4.91`, 'jpeg-2000'],
  [`${ROOT}.4.201`, 'ht-jpeg-2000'],
  [`${ROOT}.4.202`, 'ht-jpeg-2000'],
  [`${ROOT}.4.203`, 'ht-jpeg-2000'],
]);

/** Undefined for video and for what no codec here reads. */
export function codecOf(transferSyntax: string): PixelCodec | undefined {
  return CODECS.get(transferSyntax);
}
