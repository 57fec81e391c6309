/**
 * The Models Genesis chain (Zhou et al., MedIA 2021; public code "v2"): flip input and target, then distort the input by
 * local shuffling, a non-linear intensity map, and in-painting or out-painting.
 */
import type { Random } from '@consilium/shared/kernel';
import type { PatchSize } from '../training/patch-batch.js';
import { type Axis, flip, type FlipDrawing } from './flip.js';
import { inPaint, type InPaintDrawing } from './in-paint.js';
import { localShuffle, type LocalShuffleDrawing } from './local-shuffle.js';
import { type IntensityCurve, nonlinearIntensity } from './nonlinear-intensity.js';
import { outPaint, type OutPaintDrawing } from './out-paint.js';
import type { PaintFill } from './paint-window.js';
import { type Patch, requireProbability } from './transform.js';

export interface GenesisParameters {
  readonly nonlinearProbability: number;
  readonly shuffleProbability: number;
  readonly shuffleBlocks: number;
  readonly flipProbability: number;
  readonly flipAxes: readonly Axis[];
  readonly paintProbability: number;
  readonly outPaintShare: number;
  readonly paintFill: PaintFill;
}

/** Everything random about one training pair. */
export interface GenesisDrawing {
  readonly flip: FlipDrawing;
  readonly shuffle: LocalShuffleDrawing;
  readonly curve: IntensityCurve | undefined;
  readonly paint:
    { readonly kind: 'none' } | ({ readonly kind: 'in' } & InPaintDrawing) | ({ readonly kind: 'out' } & OutPaintDrawing);
}

/** Draws a whole chain; ARGUMENT_INVALID names a parameter that is out of range. */
export function drawGenesis(parameters: GenesisParameters, sizeVoxels: PatchSize, random: Random): GenesisDrawing {
  return {
    flip: flip.draw({ probability: parameters.flipProbability, axes: parameters.flipAxes }, sizeVoxels, random),
    shuffle: localShuffle.draw(
      { probability: parameters.shuffleProbability, blocks: parameters.shuffleBlocks },
      sizeVoxels,
      random,
    ),
    curve: nonlinearIntensity.draw({ probability: parameters.nonlinearProbability }, sizeVoxels, random),
    paint: drawPaint(parameters, sizeVoxels, random),
  };
}

/** The pair of a drawing: the distorted input and the flipped but otherwise clean target. The given patch is not changed. */
export function applyGenesis(drawing: GenesisDrawing, patch: Patch): { input: Patch; target: Patch } {
  const target = flip.apply(drawing.flip, patch);
  const remapped = nonlinearIntensity.apply(drawing.curve, localShuffle.apply(drawing.shuffle, target));
  return { input: applyPaint(drawing.paint, remapped), target };
}

function drawPaint(parameters: GenesisParameters, sizeVoxels: PatchSize, random: Random): GenesisDrawing['paint'] {
  requireProbability('paintProbability', parameters.paintProbability);
  requireProbability('outPaintShare', parameters.outPaintShare);
  if (!random.chance(parameters.paintProbability)) return { kind: 'none' };
  const fill = { fill: parameters.paintFill };
  if (random.chance(parameters.outPaintShare)) return { kind: 'out', ...outPaint.draw(fill, sizeVoxels, random) };
  return { kind: 'in', ...inPaint.draw(fill, sizeVoxels, random) };
}

function applyPaint(paint: GenesisDrawing['paint'], patch: Patch): Patch {
  switch (paint.kind) {
    case 'none':
      return patch;
    case 'in':
      return inPaint.apply(paint, patch);
    case 'out':
      return outPaint.apply(paint, patch);
  }
}
