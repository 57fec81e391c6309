import type { Modality, Volume } from '../../volumes/volume.js';
import { bodyMask } from './body-mask.js';
import { coarsen, type CoarseGrid } from './coarse-grid.js';
import { type HeadPlane, profileOf } from './head-profile.js';
import { hasSkull } from './skull-shell.js';

const CELL_MM = 4;
/** A head is looked for from the top of the volume down to here. */
const SEARCHED_MM = 480;
/** No scanner sees farther from side to side. */
const WIDEST_VIEW_MM = 1000;
/** Skin is far above this, foam and air are below. */
const CT_SKIN_HU = -400;
/** Elsewhere, this share of the way from dark to bright. */
const SKIN_SHARE = 0.1;
const MOST_RANKED = 50_000;

/** The vertex is in the picture when the body gets this much smaller at the top than it is at its largest. */
const MOST_TOP_SHARE = 0.65;
/** Between these depths below the vertex, the vault of an adult's or a child's skull is at its widest. */
const VAULT_MM = [48, 96] as const;
/** Cross-sections of heads there; longer from front to back than wide, other than a phantom or a brain without skull. */
const HEAD_WIDTH_MM = [112, 212] as const;
const HEAD_DEPTH_MM = [136, 272] as const;
const LEAST_LENGTHENING = 1.08;
const LEAST_FILLED = 0.6;
const MOST_CUT = 0.2;
const LEAST_HEAD_SHARE = 0.7;
/** From here down lies the face: brows, eyes, nose, mouth. */
const FACE_MM = [88, 220] as const;
/** A face lies hardly behind the forehead; without a face, the front recedes to the base of the brain. */
const MOST_RECEDING_MM = 16;
const LEAST_FACE_MM = 16;

/** What Body Part Examined may say; a region that also holds the head is looked at. */
const HEAD = /HEAD|NECK|BRAIN|SKULL|FACE|WHOLE/i;
const ELSEWHERE =
  /ABDOMEN|CHEST|THORAX|PELVIS|LEG|ARM|FOOT|HAND|KNEE|HIP|BREAST|EXTREMITY|LIVER|KIDNEY|HEART|PROSTATE|LSPINE|TSPINE/i;

/** Whether a person could perhaps be recognised from the surface of a head. A hint from shape alone, not a guarantee. */
export function looksLikeFace(volume: Volume, modality: Modality | undefined, bodyPart: string | undefined): boolean {
  if (bodyPart !== undefined && !HEAD.test(bodyPart) && ELSEWHERE.test(bodyPart)) return false;
  if (!mayHoldHead(volume)) return false;
  const grid = coarsen(volume, CELL_MM, SEARCHED_MM);
  const skin = skinThreshold(grid, modality);
  const planes = profileOf(grid, bodyMask(grid, skin));
  return hasHeadShape(planes) && hasFront(planes) && hasSkull(volume, modality, skin, between(planes, VAULT_MM));
}

/** Also bounds the memory that a strange header can ask for. */
function mayHoldHead({ sizeVoxels, spacingMm }: Volume): boolean {
  const [width, depth, height] = [sizeVoxels[0] * spacingMm[0], sizeVoxels[1] * spacingMm[1], sizeVoxels[2] * spacingMm[2]];
  return (
    within(width, [HEAD_WIDTH_MM[0], WIDEST_VIEW_MM]) &&
    within(depth, [HEAD_DEPTH_MM[0], WIDEST_VIEW_MM]) &&
    height >= FACE_MM[0] + LEAST_FACE_MM
  );
}

/** Closed above, and in the vault as long, wide and full as heads are. */
function hasHeadShape(planes: readonly HeadPlane[]): boolean {
  const vault = between(planes, VAULT_MM);
  if (vault.length < (VAULT_MM[1] - VAULT_MM[0]) / CELL_MM) return false;
  const largest = Math.max(...vault.map((plane) => plane.areaMm2));
  return (planes[0]?.areaMm2 ?? 0) <= MOST_TOP_SHARE * largest && share(vault, isHeadSection) >= LEAST_HEAD_SHARE;
}

function hasFront(planes: readonly HeadPlane[]): boolean {
  const foreheadMm = Math.max(...between(planes, VAULT_MM).map((plane) => plane.frontMm));
  const shown = between(planes, FACE_MM).filter((plane) => plane.frontMm >= foreheadMm - MOST_RECEDING_MM);
  return shown.length * CELL_MM >= LEAST_FACE_MM;
}

function between(planes: readonly HeadPlane[], [fromMm, toMm]: readonly [number, number]): readonly HeadPlane[] {
  return planes.slice(fromMm / CELL_MM, toMm / CELL_MM);
}

function isHeadSection({ widthMm, depthMm, filled, cut }: HeadPlane): boolean {
  return (
    within(widthMm, HEAD_WIDTH_MM) &&
    within(depthMm, HEAD_DEPTH_MM) &&
    depthMm >= LEAST_LENGTHENING * widthMm &&
    filled >= LEAST_FILLED &&
    cut <= MOST_CUT
  );
}

function within(value: number, [low, high]: readonly [number, number]): boolean {
  return value >= low && value <= high;
}

function share<Item>(items: readonly Item[], matches: (item: Item) => boolean): number {
  return items.filter(matches).length / items.length;
}

function skinThreshold({ values }: CoarseGrid, modality: Modality | undefined): number {
  if (modality === 'CT') return CT_SKIN_HU;
  const step = Math.ceil(values.length / MOST_RANKED);
  const sorted = Float32Array.from({ length: Math.ceil(values.length / step) }, (_, index) => values[index * step] ?? 0).sort();
  const at = (part: number): number => sorted[Math.floor(part * (sorted.length - 1))] ?? 0;
  const [dark, bright] = [at(0.02), at(0.98)];
  return dark + SKIN_SHARE * (bright - dark);
}
