/**
 * The Models Genesis chain (Zhou et al., MedIA 2021): flip input and target, then distort the input by local shuffling, a
 * non-linear intensity map, and in-painting or out-painting.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type Axis, flip, type FlipDrawing } from './flip.js';
import { inPaint, type InPaintDrawing, paintInside } from './in-paint.js';
import { type IntensityRange, type IntensitySpan, spanOf } from './intensity-span.js';
import { localShuffle, type LocalShuffleDrawing, shuffleInto } from './local-shuffle.js';
import { type IntensityCurve, intensityMap, nonlinearIntensity } from './nonlinear-intensity.js';
import { copyRun, outPaint, type OutPaintDrawing, paintOutside } from './out-paint.js';
import type { GenesisGeneration, PaintFill } from './paint-window.js';
import { ScratchSpace } from './scratch-space.js';
import { type Patch, refuse, requireProbability } from './transform.js';

/** What a plan's transforms say; fields that may be left out mean what the newest public code ("v2") does. */
export interface GenesisParameters {
  readonly generation?: GenesisGeneration | undefined;
  readonly nonlinearProbability: number;
  readonly invertedShare?: number | undefined;
  readonly shuffleProbability: number;
  readonly shuffleBlocks: number;
  readonly flipProbability: number;
  readonly flipAxes: readonly Axis[];
  readonly flipChannel?: boolean | undefined;
  readonly paintProbability: number;
  readonly outPaintShare: number;
  readonly paintFill: PaintFill;
  readonly inPaintFill?: PaintFill | undefined;
  readonly intensityRange?: IntensityRange | undefined;
}

/** Everything random about one training pair, as plain data: as JSON it replays to the same bits. */
export interface GenesisDrawing {
  readonly flip: FlipDrawing;
  readonly shuffle: LocalShuffleDrawing;
  readonly curve?: IntensityCurve | undefined;
  readonly paint:
    { readonly kind: 'none' } | ({ readonly kind: 'in' } & InPaintDrawing) | ({ readonly kind: 'out' } & OutPaintDrawing);
  /** What noise spans; 0 to 1 when left out. */
  readonly range?: IntensityRange | undefined;
}

/** Draws a whole chain; ARGUMENT_INVALID names a parameter that is out of range. */
export function drawGenesis(parameters: GenesisParameters, sizeVoxels: PatchSize, random: Random): GenesisDrawing {
  const { flipProbability, flipAxes: axes, flipChannel: channel, shuffleBlocks: blocks, intensityRange: range } = parameters;
  const { nonlinearProbability, invertedShare } = parameters;
  if (range !== undefined && range !== 'unit' && range !== 'percentiles') refuse('intensityRange', range, 'unit or percentiles');
  return {
    flip: flip.draw({ probability: flipProbability, axes, channel }, sizeVoxels, random),
    shuffle: localShuffle.draw({ probability: parameters.shuffleProbability, blocks }, sizeVoxels, random),
    curve: nonlinearIntensity.draw({ probability: nonlinearProbability, invertedShare, range }, sizeVoxels, random),
    paint: drawPaint(parameters, sizeVoxels, random),
    ...(range === undefined ? {} : { range }),
  };
}

const shuffledSpace = new ScratchSpace(Float32Array);

/**
 * The pair of a drawing: the distorted input, written to `input` if given, and the flipped but otherwise clean target. The
 * given patch is not changed; without a flip it is the target.
 */
export function applyGenesis(
  drawing: GenesisDrawing,
  patch: Patch,
  input: Float32Array = new Float32Array(patch.voxels.length),
): { input: Patch; target: Patch } {
  const target = flip.apply(drawing.flip, patch);
  const span = spanOf(drawing.range, patch.voxels);
  // Painting around windows hides two thirds of the patch, so only what shows is mapped; the bits are those of one by one.
  if (drawing.paint.kind === 'out') paintOutside(input, drawing.paint, shuffle(drawing, target), span, mapOf(drawing, span));
  else {
    if (drawing.shuffle.blocks > 0) shuffleInto(input, drawing.shuffle, target);
    else input.set(target.voxels);
    if (drawing.curve !== undefined) mapOf(drawing, span)(input, input, 0, input.length);
    if (drawing.paint.kind === 'in') paintInside(input, drawing.paint, patch.sizeVoxels, span);
  }
  return { input: { sizeVoxels: patch.sizeVoxels, voxels: input }, target };
}

function shuffle(drawing: GenesisDrawing, patch: Patch): Patch {
  if (drawing.shuffle.blocks === 0) return patch;
  const voxels = shuffledSpace.take(patch.voxels.length);
  shuffleInto(voxels, drawing.shuffle, patch);
  return { sizeVoxels: patch.sizeVoxels, voxels };
}

function mapOf({ curve }: GenesisDrawing, span: IntensitySpan): typeof copyRun {
  return curve === undefined ? copyRun : intensityMap(curve, span);
}

function drawPaint(parameters: GenesisParameters, sizeVoxels: PatchSize, random: Random): GenesisDrawing['paint'] {
  const { paintProbability, outPaintShare, paintFill, inPaintFill = paintFill, generation } = parameters;
  requireProbability('paintProbability', paintProbability);
  requireProbability('outPaintShare', outPaintShare);
  if (!random.chance(paintProbability)) return { kind: 'none' };
  if (random.chance(outPaintShare)) {
    return { kind: 'out', ...outPaint.draw({ fill: paintFill, generation }, sizeVoxels, random) };
  }
  return { kind: 'in', ...inPaint.draw({ fill: inPaintFill, generation }, sizeVoxels, random) };
}
