import type { CoarseGrid } from './coarse-grid.js';

/** One axial plane through the body. */
export interface HeadPlane {
  /** Heights and middles in millimetres from the volume's lower, left and back borders. */
  readonly heightMm: number;
  readonly middleMm: readonly [x: number, y: number];
  readonly areaMm2: number;
  readonly widthMm: number;
  readonly depthMm: number;
  /** Share of the bounding rectangle that the body fills. */
  readonly filled: number;
  /** Share of the left, right and back outline that lies on the volume's border: where the body is cut off. */
  readonly cut: number;
  /** How far to the front the body reaches near its middle, from the volume's back border; −1 where there is none. */
  readonly frontMm: number;
}

const MIDDLE_STRIP_MM = 25;
const SMALLEST_TOP_MM2 = 1200;

/** Axial planes of a body from its top downwards, one for each cell. */
export function profileOf(grid: CoarseGrid, mask: Uint8Array): HeadPlane[] {
  const planes: HeadPlane[] = [];
  for (let z = grid.size[2] - 1; z >= 0; z--) {
    const plane = measurePlane(grid, mask, z);
    if (planes.length > 0 || plane.areaMm2 >= SMALLEST_TOP_MM2) planes.push(plane);
  }
  return planes;
}

function measurePlane({ size: [nx, ny, nz], cellMm, bottomMm }: CoarseGrid, mask: Uint8Array, z: number): HeadPlane {
  const isBody = (x: number, y: number): boolean => mask[(x * ny + y) * nz + z] === 1;
  let [left, right, back, front, cells] = [nx, -1, ny, -1, 0];
  for (let x = 0; x < nx; x++) {
    for (let y = 0; y < ny; y++) {
      if (!isBody(x, y)) continue;
      cells++;
      if (x < left) left = x;
      right = x;
      if (y < back) back = y;
      if (y > front) front = y;
    }
  }
  const heightMm = bottomMm + (z + 0.5) * cellMm;
  if (cells === 0) return { heightMm, middleMm: [0, 0], areaMm2: 0, widthMm: 0, depthMm: 0, filled: 0, cut: 0, frontMm: -1 };
  const [width, depth] = [right - left + 1, front - back + 1];
  return {
    heightMm,
    middleMm: [((left + right + 1) / 2) * cellMm, ((back + front + 1) / 2) * cellMm],
    areaMm2: cells * cellMm ** 2,
    widthMm: width * cellMm,
    depthMm: depth * cellMm,
    filled: cells / (width * depth),
    cut: borderCells(isBody, nx, ny) / (2 * depth + width),
    frontMm: frontNear((left + right) / 2),
  };

  function frontNear(middle: number): number {
    const strip = MIDDLE_STRIP_MM / cellMm;
    for (let y = front; y >= 0; y--) {
      for (let x = Math.ceil(middle - strip); x <= middle + strip; x++)
        if (x >= 0 && x < nx && isBody(x, y)) return (y + 1) * cellMm;
    }
    return -1;
  }
}

function borderCells(isBody: (x: number, y: number) => boolean, nx: number, ny: number): number {
  let cells = 0;
  for (let y = 0; y < ny; y++) cells += Number(isBody(0, y)) + Number(isBody(nx - 1, y));
  for (let x = 0; x < nx; x++) cells += Number(isBody(x, 0));
  return cells;
}
