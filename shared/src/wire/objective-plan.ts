import { z } from 'zod';
import type { ModelPart } from '@consilium/shared/models';
import { fraction, positiveInteger } from './fields.js';
import { curriculumSchema, genesisTransformsSchema } from './genesis-transforms.js';

const restorationFields = {
  transforms: genesisTransformsSchema.prefault({}),
  curriculum: curriculumSchema.optional().describe('easier transforms to begin with; the same from first to last when left out'),
};

/** Restoration of distorted patches, mean squared error over all voxels. */
export const genesisObjectiveSchema = z.strictObject({
  kind: z.literal('models-genesis'),
  ...restorationFields,
});
export type GenesisObjective = z.infer<typeof genesisObjectiveSchema>;

const adversaryWeight = z.number().min(0).default(1).describe('of the modality loss beside the restoration');
const warmUpShare = fraction.default(0.1).describe('share of the training before the adversary pulls at the encoder');

/** How the encoder is kept from telling CT from MR; all of it but the reversal is this project's own choice. */
export const adversaryPlanSchema = z.discriminatedUnion('mode', [
  z.strictObject({ mode: z.literal('none') }).describe('no adversary'),
  z
    .strictObject({
      mode: z.literal('reversal'),
      weight: adversaryWeight,
      warmUpShare,
      rampSlope: z
        .number()
        .positive()
        .default(10)
        .describe('of 2 / (1 + exp(−slope · progress)) − 1, the strength of the reversal'),
    })
    .describe('gradient reversal with a ramp (Ganin and Lempitsky, ICML 2015); only where a site has both modalities'),
  z
    .strictObject({ mode: z.literal('alternating'), weight: adversaryWeight, warmUpShare })
    .describe(
      'the adversary steps first, then all else steps towards an undecided adversary; only where a site has both modalities',
    ),
  z
    .strictObject({
      mode: z.literal('frozen'),
      weight: adversaryWeight,
      warmUpShare,
      subRounds: z.int().min(1).max(64).default(4).describe('adversary rounds after each round of the representation'),
      patches: positiveInteger.max(4096).default(24).describe('patches of a site’s gradient in an adversary round'),
      learningRate: z.number().positive().default(1e-3).describe('of the coordinator’s Adam steps on the adversary'),
    })
    .describe(
      'the adversary stands still while sites train towards an undecided one; between these rounds it takes federated gradient steps',
    ),
]);
export type AdversaryObjective = z.infer<typeof adversaryPlanSchema>;

/**
 * Restoration, scale classification and a modality adversary: "UM-style", after the Universal Model (Zhang et al., arXiv
 * 2010.06107), whose settings are unpublished. Weights of 0 give the ablations.
 */
export const universalObjectiveSchema = z.strictObject({
  kind: z.literal('universal-model'),
  ...restorationFields,
  restorationWeight: z.number().positive().default(100),
  scaleWeight: z.number().min(0).default(1),
  adversary: adversaryPlanSchema.prefault({ mode: 'reversal' }),
  balanced: z
    .boolean()
    .default(true)
    .describe('each batch holds modalities and scales in equal parts, as far as a site has them'),
  modalities: z
    .array(z.enum(['CT', 'MR']))
    .min(1)
    .optional()
    .describe('only volumes of these are trained on; all when left out'),
});
export type UniversalObjective = z.infer<typeof universalObjectiveSchema>;

export const objectiveSchema = z.discriminatedUnion('kind', [genesisObjectiveSchema, universalObjectiveSchema]);
export type ObjectivePlan = z.infer<typeof objectiveSchema>;

/** What a round trains. */
export type RoundPart = ModelPart;

/**
 * What the round of this number (from 1) trains: with a frozen adversary each round of the representation is followed by its
 * adversary rounds, otherwise every round trains all there is.
 */
export function partOfRound(objective: ObjectivePlan, roundNumber: number): RoundPart {
  if (objective.kind !== 'universal-model' || objective.adversary.mode !== 'frozen') return 'all';
  return (roundNumber - 1) % (1 + objective.adversary.subRounds) === 0 ? 'representation' : 'adversary';
}

/** Rounds of the representation among the first so many: over these alone schedules and ramps run. */
export function representationRounds(objective: ObjectivePlan, rounds: number): number {
  if (objective.kind !== 'universal-model' || objective.adversary.mode !== 'frozen') return rounds;
  return Math.ceil(rounds / (1 + objective.adversary.subRounds));
}
