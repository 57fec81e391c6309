import { z } from 'zod';
import { fraction } from './fields.js';

/** What the other generations of the public code set differently; the defaults below are those of "v2". */
const GENERATIONS: Readonly<Record<string, object>> = {
  v0: { shuffleProbability: 0.1, shuffleBlocks: 500, flipProbability: 0.9, inPaintFill: 'flat' },
  v1: {},
  v2: {},
};

/** How intensities are mapped, where that differs from one modality to the other. */
const intensityMapFields = {
  nonlinearProbability: fraction.optional(),
  invertedShare: fraction.optional(),
};

const byModalityField = z
  .strictObject({ CT: z.strictObject(intensityMapFields).optional(), MR: z.strictObject(intensityMapFields).optional() })
  .optional()
  .describe('intensity maps of one modality, where they differ');

const genesisFields = z.strictObject({
  generation: z
    .enum(['v0', 'v1', 'v2'])
    .optional()
    .describe('of the public code: windows and defaults of September 2019, January 2020 or, when left out, February 2020 (v2)'),
  nonlinearProbability: fraction.default(0.9),
  invertedShare: fraction.optional().describe('of the intensity maps, which fall and so invert the contrast; 0.5 when left out'),
  byModality: byModalityField,
  shuffleProbability: fraction.default(0.5),
  shuffleBlocks: z.int().min(0).max(100_000).default(10_000),
  flipProbability: fraction.default(0.4).describe('of each further flip, three at most'),
  flipAxes: z.array(z.enum(['x', 'y', 'z'])).default(['x', 'y']),
  flipChannel: z
    .boolean()
    .optional()
    .describe('false takes the channel, whose flip does nothing, out of the axes to choose from; the nnU-Net variant does'),
  paintProbability: fraction.default(0.9),
  outPaintShare: fraction.default(0.8),
  paintFill: z.enum(['noise', 'flat']).default('noise'),
  inPaintFill: z.enum(['noise', 'flat']).optional().describe('of in-painting, where it differs from paintFill'),
  intensityRange: z
    .enum(['unit', 'percentiles'])
    .optional()
    .describe(
      'percentiles bends and paints between the 0.1 and 99.9 percentile of each patch, for z-scored data; 0 to 1 when left out',
    ),
});

/**
 * Models Genesis transformations (Zhou et al., MedIA 2021). The order is fixed: flip input and target, local shuffle,
 * non-linear intensity, then in-painting or out-painting. `generation` chooses how windows are drawn and what the fields
 * default to; a field that is given wins. Parsing is idempotent: a parsed plan parses to itself.
 */
export const genesisTransformsSchema = z.preprocess(fillGeneration, genesisFields);
export type GenesisTransforms = z.infer<typeof genesisTransformsSchema>;

function fillGeneration(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const { generation, paintFill } = given as { generation?: unknown; paintFill?: unknown };
  const { inPaintFill, ...others } = (GENERATIONS[String(generation)] ?? {}) as { inPaintFill?: string };
  // A fill that the plan names is meant for both kinds of painting; a parsed plan names inPaintFill as well.
  const fill = paintFill === undefined && inPaintFill !== undefined ? { inPaintFill } : {};
  return { ...others, ...fill, ...given };
}

/**
 * Transforms that change with the progress of a campaign or of local pretraining: a stage counts up to its share of all steps,
 * and what it does not name is as `transforms` has it. After the last stage `transforms` count alone.
 */
export const curriculumSchema = z
  .array(
    z.strictObject({
      until: z.number().gt(0).max(1).describe('share of all steps at which the stage ends'),
      ...intensityMapFields,
      byModality: byModalityField,
      shuffleProbability: fraction.optional(),
      shuffleBlocks: z.int().min(0).max(100_000).optional(),
      paintProbability: fraction.optional(),
      outPaintShare: fraction.optional(),
    }),
  )
  .min(1)
  .max(100)
  .refine((stages) => stages.every(({ until }, index) => index === 0 || until > (stages[index - 1]?.until ?? 0)), {
    message: 'each stage must end after the one before it',
  });
export type Curriculum = z.infer<typeof curriculumSchema>;
