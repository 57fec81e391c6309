import type { Modality, Volume } from '../../volumes/volume.js';
import type { HeadPlane } from './head-profile.js';

const RAYS = 36;
const FARTHEST_MM = 140;
/** From the skin inwards: scalp and skull lie in the first part, brain alone beyond the second. */
const SHELL_MM = 20;
const BRAIN_MM = 25;
const DEEPEST_MM = 40;
const BONE_HU = 250;
/** Bone is this much darker than both scalp and brain in MR; in CT without units it is this much brighter than brain. */
const MOST_DARK_SHARE = 0.75;
const LEAST_BRIGHT_SHARE = 1.5;

/**
 * Whether a layer of bone lies between the surface and what is inside: on a head yes, on an extracted brain no. Looks along
 * rays from the skin inwards. In MR the median over all rays leaves the layer and averages the folds of a brain away; in CT
 * bone stands out on each ray by itself.
 */
export function hasSkull(volume: Volume, modality: Modality | undefined, skin: number, vault: readonly HeadPlane[]): boolean {
  const rays = vault.flatMap((plane) => raysOf(volume, skin, plane));
  if (rays.length < vault.length * (RAYS / 2)) return false;
  const layers = Array.from({ length: DEEPEST_MM }, (_, depth) => median(rays.map((ray) => ray[depth] ?? 0)));
  const brain = median(layers.slice(BRAIN_MM));
  if (modality !== 'CT' && hasDarkLayer(layers.slice(0, SHELL_MM), brain)) return true;
  if (modality === 'MR') return false;
  return median(rays.map((ray) => Math.max(...ray))) >= (modality === 'CT' ? BONE_HU : LEAST_BRIGHT_SHARE * brain);
}

/** Bright, dark, bright again on the way inwards. */
function hasDarkLayer(bone: readonly number[], brain: number): boolean {
  let scalp = 0;
  return bone.some((value) => {
    scalp = Math.max(scalp, value);
    return value < MOST_DARK_SHARE * Math.min(scalp, brain);
  });
}

function raysOf(volume: Volume, skin: number, { heightMm, middleMm: [middleX, middleY] }: HeadPlane): number[][] {
  const rays: number[][] = [];
  for (let index = 0; index < RAYS; index++) {
    const angle = (2 * Math.PI * index) / RAYS;
    const [right, front] = [Math.cos(angle), Math.sin(angle)];
    const valueAt = (radiusMm: number): number | undefined =>
      voxelAt(volume, middleX + radiusMm * right, middleY + radiusMm * front, heightMm);
    const surface = surfaceOf(valueAt, skin);
    if (surface < DEEPEST_MM) continue;
    rays.push(Array.from({ length: DEEPEST_MM }, (_, depth) => valueAt(surface - depth) ?? 0));
  }
  return rays;
}

/** The outermost place from which three millimetres inwards are brighter than air: specks of noise are not. */
function surfaceOf(valueAt: (radiusMm: number) => number | undefined, skin: number): number {
  let inside = 0;
  for (let radius = FARTHEST_MM; radius > 0; radius--) {
    inside = (valueAt(radius) ?? -Infinity) > skin ? inside + 1 : 0;
    if (inside === 3) return radius + 2;
  }
  return 0;
}

function voxelAt({ sizeVoxels, spacingMm, voxels }: Volume, x: number, y: number, z: number): number | undefined {
  if (x < 0 || y < 0 || z < 0) return undefined;
  const [i, j, k] = [(x / spacingMm[0]) | 0, (y / spacingMm[1]) | 0, (z / spacingMm[2]) | 0];
  if (i >= sizeVoxels[0] || j >= sizeVoxels[1] || k >= sizeVoxels[2]) return undefined;
  return voxels[(i * sizeVoxels[1] + j) * sizeVoxels[2] + k];
}

function median(values: readonly number[]): number {
  return [...values].sort((one, other) => one - other)[Math.floor(values.length / 2)] ?? 0;
}
