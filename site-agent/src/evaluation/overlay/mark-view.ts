/** What a picture of a slice needs to be read: which way is where, and how long a millimetre is. */

/** Three bytes a pixel, row by row from the top. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Five columns and seven rows a letter. */
const GLYPHS: Readonly<Record<string, readonly string[]>> = {
  A: [' ### ', '#   #', '#   #', '#####', '#   #', '#   #', '#   #'],
  H: ['#   #', '#   #', '#   #', '#####', '#   #', '#   #', '#   #'],
  R: ['#### ', '#   #', '#   #', '#### ', '# #  ', '#  # ', '#   #'],
  '0': [' ### ', '#   #', '#  ##', '# # #', '##  #', '#   #', ' ### '],
  '1': ['  #  ', ' ##  ', '  #  ', '  #  ', '  #  ', '  #  ', ' ### '],
  '2': [' ### ', '#   #', '    #', '   # ', '  #  ', ' #   ', '#####'],
  '5': ['#####', '#    ', '#### ', '    #', '    #', '#   #', ' ### '],
  m: ['     ', '     ', '## # ', '# # #', '# # #', '# # #', '# # #'],
};
const GLYPH_COLUMNS = 5;
const GLYPH_ROWS = 7;
/** Each dot of a glyph is a square of so many pixels. */
const DOT_PIXELS = 2;
const MARGIN_PIXELS = 5;
/** Lighter than most tissue and no colour of an outline; a dark edge sets it off from what is light. */
const INK = 225;
/** Lengths of a bar: made of the digits above. */
const BAR_LENGTHS_MM = [100, 50, 20, 10, 5, 2, 1] as const;
/** Of the view's width, at most. */
const BAR_SHARE = 0.4;
const BAR_HEIGHT_PIXELS = 3;

/** Writes the letters of the directions in the middle of the left edge and of the upper edge: R right, A front, H head. */
export function markDirections(picture: Picture, left: 'A' | 'R', top: 'A' | 'H'): void {
  const [width, height] = [GLYPH_COLUMNS * DOT_PIXELS, GLYPH_ROWS * DOT_PIXELS];
  write(picture, left, MARGIN_PIXELS, Math.floor((picture.height - height) / 2));
  write(picture, top, Math.floor((picture.width - width) / 2), MARGIN_PIXELS);
}

/** Draws a bar of a round length with that length above it, in the lower left corner; nothing in a view of less than 3 mm. */
export function drawScaleBar(picture: Picture, pixelsPerMm: number): void {
  const lengthMm = BAR_LENGTHS_MM.find((length) => length * pixelsPerMm <= BAR_SHARE * picture.width);
  if (lengthMm === undefined) return;
  const top = picture.height - MARGIN_PIXELS - BAR_HEIGHT_PIXELS;
  paint(picture, [MARGIN_PIXELS, top], [Math.round(lengthMm * pixelsPerMm), BAR_HEIGHT_PIXELS]);
  write(picture, `${lengthMm} mm`, MARGIN_PIXELS, top - 2 * DOT_PIXELS - GLYPH_ROWS * DOT_PIXELS);
}

function write(picture: Picture, text: string, left: number, top: number): void {
  [...text].forEach((letter, place) => {
    const from = left + place * (GLYPH_COLUMNS + 1) * DOT_PIXELS;
    (GLYPHS[letter] ?? []).forEach((line, row) => {
      [...line].forEach((dot, column) => {
        if (dot === '#') paint(picture, [from + column * DOT_PIXELS, top + row * DOT_PIXELS], [DOT_PIXELS, DOT_PIXELS]);
      });
    });
  });
}

/** A light rectangle with a dark edge of one pixel, which gives way to what is light already. */
function paint(picture: Picture, [left, top]: readonly [number, number], [width, height]: readonly [number, number]): void {
  const { pixels } = picture;
  for (let y = Math.max(0, top - 1); y <= Math.min(picture.height - 1, top + height); y++) {
    for (let x = Math.max(0, left - 1); x <= Math.min(picture.width - 1, left + width); x++) {
      const at = 3 * (y * picture.width + x);
      const isInside = x >= left && x < left + width && y >= top && y < top + height;
      const isInk = pixels[at] === INK && pixels[at + 1] === INK && pixels[at + 2] === INK;
      if (isInside) pixels.fill(INK, at, at + 3);
      else if (!isInk) pixels.fill(0, at, at + 3);
    }
  }
}
