import type { CoarseGrid } from './coarse-grid.js';

/** Cells that are peeled off to part the body from couch, head rest and cushions, and put back on it. */
const PEELED = 2;

/**
 * 1 where the body is: what lies above the threshold, with what it encloses in each axial plane; of that the largest part that
 * holds together when a thin layer is taken off.
 */
export function bodyMask(grid: CoarseGrid, threshold: number): Uint8Array {
  const solid = fillPlanes(grid, threshold);
  let core = solid;
  for (let layer = 0; layer < PEELED; layer++) core = peel(grid, core);
  let body = largestPart(grid, core);
  for (let layer = 0; layer < PEELED; layer++) body = grow(grid, body, solid);
  return body;
}

/** 0 where air of an axial plane can be reached from the plane's border. */
function fillPlanes({ size: [nx, ny, nz], values }: CoarseGrid, threshold: number): Uint8Array {
  const filled = new Uint8Array(values.length).fill(1);
  const queue = new Int32Array(nx * ny);
  let end = 0;
  const visit = (column: number, z: number): void => {
    const at = column * nz + z;
    if (filled[at] === 0 || (values[at] as number) > threshold) return;
    filled[at] = 0;
    queue[end++] = column;
  };
  for (let z = 0; z < nz; z++) {
    end = 0;
    for (let x = 0; x < nx; x++) for (const y of [0, ny - 1]) visit(x * ny + y, z);
    for (let y = 0; y < ny; y++) for (const x of [0, nx - 1]) visit(x * ny + y, z);
    for (let head = 0; head < end; head++) {
      const column = queue[head] as number;
      const x = (column / ny) | 0;
      const y = column - x * ny;
      if (x > 0) visit(column - ny, z);
      if (x < nx - 1) visit(column + ny, z);
      if (y > 0) visit(column - 1, z);
      if (y < ny - 1) visit(column + 1, z);
    }
  }
  return filled;
}

/** Without the cells that touch air; the volume's border counts as body, so that cut bodies keep their shape. */
function peel({ size }: CoarseGrid, mask: Uint8Array): Uint8Array {
  const touchesAir = cellsBeside(size, mask, 0);
  return mask.map((own, at) => (own === 1 && touchesAir[at] === 0 ? 1 : 0));
}

/** With the neighbours that are solid. */
function grow({ size }: CoarseGrid, mask: Uint8Array, solid: Uint8Array): Uint8Array {
  const touchesBody = cellsBeside(size, mask, 1);
  return mask.map((own, at) => own | ((solid[at] as number) & (touchesBody[at] as number)));
}

/** 1 for each cell that has a neighbour of this value. */
function cellsBeside([nx, ny, nz]: CoarseGrid['size'], mask: Uint8Array, value: 0 | 1): Uint8Array {
  const beside = new Uint8Array(mask.length);
  let at = 0;
  for (let x = 0; x < nx; x++) {
    for (let y = 0; y < ny; y++) {
      for (let z = 0; z < nz; z++, at++) {
        if (mask[at] !== value) continue;
        if (z > 0) beside[at - 1] = 1;
        if (z < nz - 1) beside[at + 1] = 1;
        if (y > 0) beside[at - nz] = 1;
        if (y < ny - 1) beside[at + nz] = 1;
        if (x > 0) beside[at - nz * ny] = 1;
        if (x < nx - 1) beside[at + nz * ny] = 1;
      }
    }
  }
  return beside;
}

function largestPart({ size: [nx, ny, nz] }: CoarseGrid, solid: Uint8Array): Uint8Array {
  const part = new Int32Array(solid.length);
  const queue = new Int32Array(solid.length);
  let largest = { part: -1, cells: 0 };
  let parts = 0;
  for (let start = 0; start < solid.length; start++) {
    if (solid[start] === 0 || part[start] !== 0) continue;
    const cells = flood(start, ++parts);
    if (cells > largest.cells) largest = { part: parts, cells };
  }
  return solid.map((_, at) => (part[at] === largest.part ? 1 : 0));

  function flood(start: number, mark: number): number {
    let end = 0;
    const visit = (at: number): void => {
      if (solid[at] === 0 || part[at] !== 0) return;
      part[at] = mark;
      queue[end++] = at;
    };
    visit(start);
    for (let head = 0; head < end; head++) {
      const at = queue[head] as number;
      const column = (at / nz) | 0;
      const z = at - column * nz;
      const x = (column / ny) | 0;
      const y = column - x * ny;
      if (z > 0) visit(at - 1);
      if (z < nz - 1) visit(at + 1);
      if (y > 0) visit(at - nz);
      if (y < ny - 1) visit(at + nz);
      if (x > 0) visit(at - nz * ny);
      if (x < nx - 1) visit(at + nz * ny);
    }
    return end;
  }
}
