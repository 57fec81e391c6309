import { z } from 'zod';
import { fraction, positiveInteger } from './fields.js';

/** Weights count trained patches; a cap keeps one giant site from drowning the rest. */
const weights = {
  maximumPatchesPerSite: positiveInteger.optional().describe('more patches than this count as this many'),
};

const serverLearningRate = z.number().positive();
/** Reddi et al. (ICLR 2021) recommend 1e-3: the smaller, the more a rarely moved weight is moved. */
const tau = z.number().positive().default(1e-3).describe('keeps the adaptive divisor away from 0');
const decay = z.number().min(0).max(0.999_999);

const averagingRecipes = [
  z.strictObject({ name: z.literal('fedavg'), ...weights }),
  z.strictObject({
    name: z.literal('fedavgm'),
    serverLearningRate: serverLearningRate.default(1),
    momentum: decay.default(0.9),
    ...weights,
  }),
  z.strictObject({ name: z.literal('fedadagrad'), serverLearningRate: serverLearningRate.default(0.01), tau, ...weights }),
  z.strictObject({
    name: z.literal('fedadam'),
    serverLearningRate: serverLearningRate.default(0.01),
    beta1: decay.default(0.9),
    beta2: decay.default(0.99),
    tau,
    ...weights,
  }),
  z.strictObject({
    name: z.literal('fedyogi'),
    serverLearningRate: serverLearningRate.default(0.01),
    beta1: decay.default(0.9),
    beta2: decay.default(0.99),
    tau,
    ...weights,
  }),
  z.strictObject({
    name: z.literal('fedprox'),
    mu: z.number().positive().default(0.01).describe('pull of the local weights towards the base while a site trains'),
    ...weights,
  }),
  z.strictObject({
    name: z.literal('scaffold'),
    serverLearningRate: serverLearningRate.default(1),
  }),
] as const;

const robustRecipes = [
  z.strictObject({ name: z.literal('median') }),
  z.strictObject({
    name: z.literal('trimmed-mean'),
    trim: fraction.max(0.49).default(0.2).describe('share of the sites left out at each end, weight by weight'),
  }),
  z.strictObject({
    name: z.literal('krum'),
    byzantine: z.int().min(0).default(1).describe('bad updates that the round must stand'),
  }),
  z.strictObject({
    name: z.literal('multi-krum'),
    byzantine: z.int().min(0).default(1).describe('bad updates that the round must stand'),
    kept: positiveInteger.optional().describe('updates that are averaged; all but the bad ones when left out'),
  }),
] as const;

/** Buffered asynchronous rounds: Nguyen et al., FedBuff (AISTATS 2022). */
const bufferedRecipe = z.strictObject({
  name: z.literal('fedbuff'),
  serverLearningRate: serverLearningRate.default(1),
  stalenessExponent: z
    .number()
    .min(0)
    .default(0.5)
    .describe('an update that is s versions old counts (1 + s) to minus this power'),
  maximumStaleness: positiveInteger.default(10).describe('an update that is more versions old than this is refused'),
  ...weights,
});

/** How the updates of a round become the next model version; parts and arguments are checked when a campaign is loaded. */
export const recipeSchema = z.preprocess(
  // A recipe that names only its arguments is federated averaging.
  (value) => (typeof value === 'object' && value !== null && !('name' in value) ? { name: 'fedavg', ...value } : value),
  z.discriminatedUnion('name', [...averagingRecipes, ...robustRecipes, bufferedRecipe]),
);
export type RecipePlan = z.infer<typeof recipeSchema>;
export type RecipeName = RecipePlan['name'];
export type RecipeOf<Name extends RecipeName> = Extract<RecipePlan, { name: Name }>;

/** True for recipes whose rounds leave slow sites at work: what they deliver counts in the round in which it comes. */
export function isBuffered(recipe: RecipePlan): boolean {
  return recipe.name === 'fedbuff';
}
