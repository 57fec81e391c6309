import { readCsaValues } from './csa-header.js';
import type { DicomAttributes } from './dicom-attributes.js';
import type { PlaneFacts, Point } from './dicom-facts.js';
import { PRIVATE, TAG } from './dicom-tags.js';
import { along, cross, dot } from './patient-space.js';
import { readProtocolSlices, towardsNextTile } from './siemens-protocol.js';

/** How a Siemens mosaic cuts one picture into the slices of a volume. */
export interface Mosaic {
  readonly tiles: number;
  /** Tiles along each side of the picture. */
  readonly side: number;
  /** Towards the next slice. */
  readonly normal: Point | undefined;
}

const MOST_TILES = 1024;
const CSA_NAMES = new Set(['NumberOfImagesInMosaic', 'SliceNormalVector']);

/** Undefined when the file is no mosaic, and when it does not say of how many tiles: then its one plane has no tile. */
export function readMosaic(attributes: DicomAttributes): Mosaic | undefined {
  if (!attributes.texts(TAG.imageType).includes('MOSAIC')) return undefined;
  const csaTag = attributes.privateTag(PRIVATE.siemensCsa);
  const csa = readCsaValues((csaTag === undefined ? undefined : attributes.bytes(csaTag)) ?? Buffer.alloc(0), CSA_NAMES);
  const tilesTag = attributes.privateTag(PRIVATE.siemensTiles);
  const protocol = readProtocolSlices(attributes);
  const tiles = Number(
    csa.get('NumberOfImagesInMosaic')?.[0] ?? (tilesTag === undefined ? protocol?.count : attributes.number(tilesTag)),
  );
  if (!Number.isInteger(tiles) || tiles < 1 || tiles > MOST_TILES) return undefined;
  const normal = pointOf((csa.get('SliceNormalVector') ?? []).slice(0, 3).map(Number));
  return {
    tiles,
    side: Math.ceil(Math.sqrt(tiles)),
    normal: normal ?? (protocol === undefined ? undefined : towardsNextTile(protocol, attributes)),
  };
}

/**
 * The tiles of a mosaic as planes. The position that the file states is where a picture of the mosaic's full size would begin
 * around the first slice; the slice itself begins half the difference further in (nibabel.org, "Siemens mosaic format").
 */
export function mosaicPlanes(
  plane: PlaneFacts,
  mosaic: Mosaic,
  rows: number,
  columns: number,
  stepMm: number | undefined,
): PlaneFacts[] {
  const first = firstTilePosition(plane, mosaic, rows, columns);
  const step = sliceStep(plane, mosaic, stepMm);
  return Array.from({ length: mosaic.tiles }, (_, index) => ({
    ...plane,
    tile: [index % mosaic.side, Math.floor(index / mosaic.side)] as const,
    position: first === undefined || step === undefined ? undefined : along(first, step, index),
  }));
}

function firstTilePosition(
  { position, rowDirection, columnDirection, spacingMm }: PlaneFacts,
  { side }: Mosaic,
  rows: number,
  columns: number,
) {
  if (position === undefined || rowDirection === undefined || columnDirection === undefined || spacingMm === undefined)
    return undefined;
  const acrossMm = ((columns - columns / side) / 2) * spacingMm[1];
  const downMm = ((rows - rows / side) / 2) * spacingMm[0];
  return along(along(position, rowDirection, acrossMm), columnDirection, downMm);
}

/** The normal of the plane's own directions is the most exact; the scanner's private header gives the sense. */
function sliceStep({ rowDirection: u, columnDirection: v }: PlaneFacts, { normal }: Mosaic, stepMm: number | undefined) {
  if (u === undefined || v === undefined || stepMm === undefined) return undefined;
  const across = cross(u, v);
  return along([0, 0, 0], across, normal !== undefined && dot(normal, across) < 0 ? -stepMm : stepMm);
}

function pointOf([x, y, z]: readonly number[]): Point | undefined {
  return x !== undefined && y !== undefined && z !== undefined && Number.isFinite(x + y + z) ? [x, y, z] : undefined;
}
