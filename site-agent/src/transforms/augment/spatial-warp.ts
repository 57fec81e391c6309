/**
 * Rotation, scaling and elastic deformation in one pass of resampling: trilinear for the image, nearest for labels, 0 beyond
 * the volume. A patch is sampled from the volume around it, so that turning it brings in what lies there.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../../training/patch-batch.js';
import { requireProbability } from '../transform.js';
import { type ElasticDrawing, ElasticField, FOLDLESS_SHARE, gridVectors } from './elastic-field.js';
import { sineAndCosine } from './exact-functions.js';
import { type Bounds, drawFactor, type LabelledGrid, requireBounds } from './labelled-patch.js';
import { type CoordinateRun, sampleLabels, sampleTrilinear } from './sample-run.js';

export interface SpatialParameters {
  readonly rotationProbability: number;
  /** Largest angle either way about the x, y and z axis. */
  readonly rotationDegrees: readonly [x: number, y: number, z: number];
  readonly scaleProbability: number;
  /** Factors: above 1 things look larger. */
  readonly scale: Bounds;
  readonly elasticProbability: number;
  readonly elasticSpacingVoxels: number;
  readonly elasticDeviationVoxels: Bounds;
}

/** What is left out does not happen. */
export interface SpatialDrawing {
  readonly rotationDegrees?: readonly [x: number, y: number, z: number] | undefined;
  readonly scale?: number | undefined;
  readonly elastic?: ElasticDrawing | undefined;
}

/** Undefined when nothing is drawn. ARGUMENT_INVALID names a parameter out of range. */
export function drawSpatial(parameters: SpatialParameters, random: Random): SpatialDrawing | undefined {
  requireSpatial(parameters);
  const drawing: { -readonly [Field in keyof SpatialDrawing]: SpatialDrawing[Field] } = {};
  if (random.chance(parameters.rotationProbability)) {
    const [x, y, z] = parameters.rotationDegrees;
    drawing.rotationDegrees = [random.between(-x, x), random.between(-y, y), random.between(-z, z)];
  }
  if (random.chance(parameters.scaleProbability)) drawing.scale = drawFactor(parameters.scale, random);
  if (random.chance(parameters.elasticProbability)) {
    const deviationVoxels = random.between(...parameters.elasticDeviationVoxels);
    drawing.elastic = { spacingVoxels: parameters.elasticSpacingVoxels, deviationVoxels, seed: `${random.seed}/elastic` };
  }
  return Object.keys(drawing).length === 0 ? undefined : drawing;
}

/** A source that is a part of a volume says at which voxel of it it begins. */
type PartOfVolume = LabelledGrid & { readonly begins?: PatchSize };

/** All voxels that a warp looks at, and some more: from `from` up to, but without, `to`; they may lie beyond the volume. */
export function warpedBox(drawing: SpatialDrawing, size: PatchSize, origin: PatchSize): { from: PatchSize; to: PatchSize } {
  const matrix = warpMatrix(drawing);
  // Splines stay within the hull of their vectors, which are cut at this length.
  const displacement = drawing.elastic === undefined ? 0 : FOLDLESS_SHARE * drawing.elastic.spacingVoxels;
  const along = (axis: 0 | 1 | 2): readonly [number, number] => {
    const reach = size.reduce((sum, side, from) => sum + Math.abs(matrix[3 * axis + from] ?? 0) * ((side - 1) / 2), displacement);
    const middle = origin[axis] + (size[axis] - 1) / 2;
    return [Math.floor(middle - reach) - 1, Math.floor(middle + reach) + 3]; // the eight around, and rounding
  };
  const [x, y, z] = [along(0), along(1), along(2)];
  return { from: [x[0], y[0], z[0]], to: [x[1], y[1], z[1]] };
}

/**
 * Writes the warped patch whose undistorted voxels would begin at `origin` of the volume (it may reach beyond), image and
 * labels alike; the target is not the source. A source that is a part of the volume holds at least the {@link warpedBox}.
 */
export function warpInto(
  target: LabelledGrid,
  drawing: SpatialDrawing,
  source: PartOfVolume,
  origin: PatchSize = [0, 0, 0],
): void {
  const { elastic } = drawing;
  const size = target.sizeVoxels;
  const field = elastic && new ElasticField(gridVectors(elastic, size), elastic.spacingVoxels, size);
  sampleWarped(target, warpMatrix(drawing), field, source, origin);
}

/** The same with a matrix ({@link warpMatrix}) and a field of displacements. */
export function sampleWarped(
  target: LabelledGrid,
  matrix: readonly number[],
  field: ElasticField | undefined,
  source: PartOfVolume,
  origin: PatchSize,
): void {
  const [nx, ny, nz] = target.sizeVoxels;
  const run: CoordinateRun = [new Float64Array(nz), new Float64Array(nz), new Float64Array(nz)];
  for (let x = 0; x < nx; x++) {
    for (let y = 0; y < ny; y++) {
      fillRun(run, matrix, x, y, target.sizeVoxels, origin);
      field?.addRun(x, y, run);
      if (source.begins !== undefined) shiftRun(run, source.begins);
      const at = (x * ny + y) * nz;
      sampleTrilinear(target.voxels, at, source.voxels, source.sizeVoxels, run);
      if (target.classMap && source.classMap) sampleLabels(target.classMap, at, source.classMap, source.sizeVoxels, run);
    }
  }
}

/** Coordinates in the source: the patch's centre stays, everything else turns and shrinks around it. */
function fillRun(run: CoordinateRun, matrix: readonly number[], x: number, y: number, size: PatchSize, origin: PatchSize): void {
  const centre = size.map((side) => (side - 1) / 2) as [number, number, number];
  for (const axis of [0, 1, 2] as const) {
    const [mx, my, mz] = matrix.slice(3 * axis, 3 * axis + 3) as [number, number, number];
    const start = origin[axis] + centre[axis] + mx * (x - centre[0]) + my * (y - centre[1]);
    for (let z = 0; z < run[axis].length; z++) run[axis][z] = start + mz * (z - centre[2]);
  }
}

/**
 * From coordinates in the volume to those in a part of it. Exact, so that it does not matter which part is at hand: where a part
 * begins, coordinates are no smaller than that, and so are multiples of a unit that the difference has room for.
 */
function shiftRun(run: CoordinateRun, begins: PatchSize): void {
  for (const axis of [0, 1, 2] as const) {
    if (begins[axis] === 0) continue;
    for (let z = 0; z < run[axis].length; z++) run[axis][z] = (run[axis][z] as number) - begins[axis];
  }
}

/** Row-major 3×3: from offsets in the patch to offsets in the source. Turns about x first, then y, then z. */
export function warpMatrix({ rotationDegrees = [0, 0, 0], scale = 1 }: SpatialDrawing): number[] {
  const [x, y, z] = rotationDegrees.map(sineAndCosine) as [Turn, Turn, Turn];
  const rotation = [
    z.cosine * y.cosine,
    z.cosine * y.sine * x.sine - z.sine * x.cosine,
    z.cosine * y.sine * x.cosine + z.sine * x.sine,
    z.sine * y.cosine,
    z.sine * y.sine * x.sine + z.cosine * x.cosine,
    z.sine * y.sine * x.cosine - z.cosine * x.sine,
    -y.sine,
    y.cosine * x.sine,
    y.cosine * x.cosine,
  ];
  return rotation.map((entry) => entry / scale);
}

type Turn = ReturnType<typeof sineAndCosine>;

function requireSpatial(parameters: SpatialParameters): void {
  requireProbability('rotationProbability', parameters.rotationProbability);
  requireProbability('scaleProbability', parameters.scaleProbability);
  requireProbability('elasticProbability', parameters.elasticProbability);
  for (const degrees of parameters.rotationDegrees) requireBounds('rotationDegrees', [0, degrees], 0, 180);
  requireBounds('scale', parameters.scale, 0.1, 10);
  requireBounds('elasticSpacingVoxels', [1, parameters.elasticSpacingVoxels], 1, 1024);
  requireBounds('elasticDeviationVoxels', parameters.elasticDeviationVoxels, 0, 1024);
}
