/** A grey picture with values 0…1, row by row from the top. */
export interface PicturePlane {
  readonly width: number;
  readonly height: number;
  readonly values: Float32Array;
}

/**
 * The picture at another size: every new pixel is the mean of what it covers, weighted by area. Where it grows, pixels show as
 * the rectangles they are: thick slices stay visible.
 */
export function resizeByArea(plane: PicturePlane, width: number, height: number): PicturePlane {
  const across = resizeRows(plane, width);
  return transpose(resizeRows(transpose(across), height));
}

/** Pictures side by side on black, centred upwards and downwards. */
export function placeSideBySide(planes: readonly PicturePlane[], gap: number): PicturePlane {
  const height = Math.max(...planes.map((plane) => plane.height));
  const width = planes.reduce((sum, plane) => sum + plane.width, gap * (planes.length - 1));
  const values = new Float32Array(width * height);
  let left = 0;
  for (const plane of planes) {
    const top = Math.floor((height - plane.height) / 2);
    for (let row = 0; row < plane.height; row++) {
      const line = plane.values.subarray(row * plane.width, (row + 1) * plane.width);
      values.set(line, (top + row) * width + left);
    }
    left += plane.width + gap;
  }
  return { width, height, values };
}

function resizeRows(plane: PicturePlane, width: number): PicturePlane {
  const { height } = plane;
  const values = new Float32Array(width * height);
  const scale = plane.width / width;
  for (let column = 0; column < width; column++) {
    const from = column * scale;
    const to = Math.min(plane.width, (column + 1) * scale);
    for (let at = Math.floor(from); at < to; at++) {
      const share = (Math.min(at + 1, to) - Math.max(at, from)) / (to - from);
      for (let row = 0; row < height; row++) {
        const target = row * width + column;
        values[target] = (values[target] as number) + share * (plane.values[row * plane.width + at] as number);
      }
    }
  }
  return { width, height, values };
}

function transpose({ width, height, values }: PicturePlane): PicturePlane {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) turned[column * height + row] = values[row * width + column] as number;
  }
  return { width: height, height: width, values: turned };
}
