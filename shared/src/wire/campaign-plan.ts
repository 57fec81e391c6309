import { z } from 'zod';
import { DIGEST_ALGORITHMS } from '@consilium/shared/kernel';
import { everyFederatedHasControl, modelSpecSchema, nameMatcher, parametersOf, siteLocalMatcher } from '@consilium/shared/models';
import { adversaryIssues } from './adversary-checks.js';
import { durationField, nameField, positiveInteger } from './fields.js';
import { recipeSchema } from './recipe-plan.js';
import { privacyIssues } from './privacy-checks.js';
import { privacyPlanSchema } from './privacy-plan.js';
import { checkRestoration } from './restoration-checks.js';
import { objectiveSchema, representationRounds } from './objective-plan.js';
import { type TrainingDefaults, withTrainingDefaults } from './objective-defaults.js';
import { type LocalTraining, localTrainingSchema, patchPlanSchema, probePlanSchema } from './training-plan.js';
import { cohortPlanSchema, screeningPlanSchema, siteLocalSchema, updatePlanSchema } from './update-plan.js';

const { optimizer, batchSize } = localTrainingSchema.shape;

const GENESIS_TRAINING: TrainingDefaults = { optimizer: optimizer.parse(undefined), batchSize: batchSize.parse(undefined) };

const trainingFields = localTrainingSchema.extend({
  optimizer: optimizer.unwrap().optional().describe('when left out, Adam at 0.001 for a universal model, else SGD at 0.1'),
  batchSize: batchSize.unwrap().optional().describe('patches; when left out 12 for a universal model, else 2'),
});

const campaignFields = z.strictObject({
  name: nameField,
  model: modelSpecSchema,
  objective: objectiveSchema.prefault({ kind: 'models-genesis' }),
  patch: patchPlanSchema.prefault({}),
  training: trainingFields,
  probe: probePlanSchema.prefault({}),
  recipe: recipeSchema.prefault({ name: 'fedavg' }),
  updates: updatePlanSchema.optional().describe('number format of the updates; 32-bit floats when left out'),
  screening: screeningPlanSchema.prefault({}).describe('which updates are held back for an operator to look at'),
  privacy: privacyPlanSchema.optional().describe('clips updates and adds noise; without it updates leave as they are'),
  siteLocal: siteLocalSchema.optional().describe('parameters that each site keeps for itself, "norms" for FedBN'),
  rounds: positiveInteger.max(100_000),
  seed: z.int().min(0).default(1),
  sites: z.array(nameField).min(1).optional().describe('names of the sites to invite; all enrolled sites when left out'),
  requiredSites: z.array(nameField).min(1).optional().describe('sites without whose update no round ends well'),
  cohort: cohortPlanSchema.optional().describe('invites some of the sites to each round; all when left out'),
  quorum: positiveInteger.default(1).describe('delivered updates that a round needs'),
  grace: durationField.default('30s').describe('how long a round waits for the others once the quorum is reached'),
  deadline: durationField.default('2h').describe('how long a round may take at most'),
  attempts: positiveInteger
    .max(100)
    .default(1)
    .describe('times that a round which missed its quorum is tried before the campaign stops'),
  digest: z
    .enum(DIGEST_ALGORITHMS)
    .optional()
    .describe('what names the weight files; blake3 when left out, sha256 where a site speaks protocol 1'),
});

type WrittenCampaign = z.infer<typeof campaignFields>;

/** A campaign with every default in its place. */
export type CampaignPlan = Omit<WrittenCampaign, 'training'> & { readonly training: LocalTraining };

function withDefaults(written: WrittenCampaign): CampaignPlan {
  return { ...written, training: withTrainingDefaults(written.training, written.objective, GENESIS_TRAINING) };
}

/** What joins several fields; asked only of a plan whose fields are sound, each by itself: a network of a wrong size has no parameters. */
const soundPlan = z
  .custom<CampaignPlan>()
  .refine((plan) => plan.sites === undefined || plan.quorum <= plan.sites.length, {
    path: ['quorum'],
    message: 'a quorum larger than the number of named sites can never be reached',
  })
  .refine((plan) => (plan.requiredSites ?? []).every((name) => plan.sites?.includes(name) ?? true), {
    path: ['requiredSites'],
    message: 'a required site must be among the sites',
  })
  .refine(
    ({ cohort, quorum, requiredSites }) => cohort === undefined || cohort.sites >= Math.max(quorum, requiredSites?.length ?? 0),
    {
      path: ['cohort', 'sites'],
      message: 'a cohort must hold the quorum and the required sites',
    },
  )
  .refine(({ recipe, quorum }) => !('byzantine' in recipe) || quorum >= 2 * recipe.byzantine + 3, {
    path: ['quorum'],
    message: 'krum and multi-krum need 2 × byzantine + 3 updates or more to hold what they promise (Blanchard et al., 2017)',
  })
  .superRefine(checkRestoration)
  .superRefine((plan, context) => {
    for (const { path, message } of [...adversaryIssues(plan), ...privacyIssues(plan)])
      context.addIssue({ code: 'custom', path: [...path], message });
  })
  .refine(
    ({ training, objective, rounds }) =>
      (training.schedule?.warmUp?.steps ?? 0) < training.steps * representationRounds(objective, rounds),
    {
      path: ['training', 'schedule', 'warmUp', 'steps'],
      message: 'the warm-up would not be over before the last step of the last round',
    },
  )
  .superRefine(({ model, training: { optimizer } }, context) => {
    const names = parametersOf(model).flatMap(({ name, role }) => (role === 'trained' ? [name] : []));
    const groups = (optimizer.groups ?? []).map(({ match, frozen }) => ({ frozen, matches: nameMatcher(match) }));
    const path = ['training', 'optimizer', 'groups'];
    groups.forEach(({ matches }, index) => {
      if (names.some(matches)) return;
      const message = `matches no parameter of the model, whose names go from ${names.at(0)} to ${names.at(-1)}`;
      context.addIssue({ code: 'custom', path: [...path, index, 'match'], message });
    });
    if (names.every((name) => groups.find(({ matches }) => matches(name))?.frozen === true)) {
      context.addIssue({ code: 'custom', path, message: 'every parameter is frozen: nothing would be trained' });
    }
  })
  .superRefine(({ model, siteLocal = [] }, context) => {
    const parameters = parametersOf(model);
    const matchers = siteLocal.map(siteLocalMatcher);
    matchers.forEach((matches, index) => {
      if (parameters.some(matches)) return;
      context.addIssue({ code: 'custom', path: ['siteLocal', index], message: 'matches no parameter of the model' });
    });
    if (parameters.some((parameter) => parameter.role === 'trained' && !matchers.some((matches) => matches(parameter)))) return;
    const message = 'every trained parameter would stay at its site: nothing would be learnt together';
    context.addIssue({ code: 'custom', path: ['siteLocal'], message });
  })
  .refine(({ recipe, training }) => recipe.name !== 'scaffold' || training.optimizer.kind === 'sgd', {
    path: ['training', 'optimizer', 'kind'],
    message: 'scaffold corrects gradients that SGD applies as they are; use "sgd"',
  })
  .refine(({ recipe, model, siteLocal }) => recipe.name !== 'scaffold' || everyFederatedHasControl(model, siteLocal), {
    path: ['siteLocal'],
    message:
      'scaffold has control variates for trained parameters only; keep the others at the sites, such as ["*.running_mean", "*.running_var"]',
  })
  .refine(({ updates }) => updates?.download !== 'delta' || updates.format !== 'f32', {
    path: ['updates', 'download'],
    message: 'a difference in 32 bits is as long as the version itself; choose another format, or "whole"',
  })
  .refine(({ updates, recipe }) => updates?.download !== 'delta' || recipe.name !== 'scaffold', {
    path: ['updates', 'download'],
    message: 'scaffold carries control variates that sites read, and has no place for what the format takes; use "whole"',
  });

/**
 * A campaign file: one recipe and one model spec run for many rounds. Plain data: versioned, reviewable, replayable.
 */
export const campaignPlanSchema = campaignFields.transform(withDefaults).pipe(soundPlan);

/**
 * True when each version is defined by its difference from the one before, in the number format of the updates. SCAFFOLD's never
 * are: its state is a file that sites download, and without error feedback weights that move slowly would stand still.
 */
export function downloadsDeltas({ updates, recipe }: Pick<CampaignPlan, 'updates' | 'recipe'>): boolean {
  if (updates === undefined || updates.format === 'f32' || recipe.name === 'scaffold') return false;
  return updates.download !== 'whole';
}
