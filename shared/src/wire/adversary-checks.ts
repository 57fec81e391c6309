/** What a campaign with a modality adversary must fulfil beyond the form of its fields. */
import type { z } from 'zod';
import { ADVERSARY_PREFIX, type ModelSpec, parametersOf, siteLocalMatcher } from '@consilium/shared/models';
import type { ObjectivePlan } from './objective-plan.js';
import type { RecipePlan } from './recipe-plan.js';
import { frozenAdversary, placeOfRound } from './round-part.js';

interface CampaignWithAdversary {
  readonly model: ModelSpec;
  readonly objective: ObjectivePlan;
  readonly recipe: RecipePlan;
  readonly siteLocal?: readonly string[] | undefined;
  readonly patch: { readonly sizeVoxels: readonly number[] };
  readonly rounds: number;
}

export interface PlanIssue {
  readonly path: readonly string[];
  readonly message: string;
}

/** Voxels of a patch side for one voxel of what the adversary's last convolution gives. */
const ADVERSARY_STRIDE = 16;
/** Of the last convolution: of two or fewer, a norm and then a mean leave nothing that depends on the patch. */
const LEAST_VOXELS = 4;

/**
 * Sorting and choosing look for updates that agree. Sites of one modality disagree about an adversary by what they hold: those
 * recipes would leave out whichever modality fewer sites have.
 */
const ROBUST: ReadonlySet<RecipePlan['name']> = new Set(['median', 'trimmed-mean', 'krum', 'multi-krum']);
/** Recipes that compare or correct whole updates, which a site of one modality does not deliver. */
const NEED_WHOLE_UPDATES: ReadonlySet<RecipePlan['name']> = new Set(['krum', 'multi-krum', 'scaffold']);

/** Refuses an adversary that cannot work in a training at one site. */
export function checkAdversaryAlone(
  plan: Pick<CampaignWithAdversary, 'model' | 'objective' | 'patch'>,
  context: z.RefinementCtx,
): void {
  const { objective } = plan;
  const issues = basicIssues(plan);
  if (objective.kind === 'universal-model' && objective.adversary.mode === 'frozen') {
    const message = 'a frozen adversary learns in rounds of a campaign; at one site use "alternating" or "reversal"';
    issues.push({ path: ['objective', 'adversary', 'mode'], message });
  }
  for (const { path, message } of issues) context.addIssue({ code: 'custom', path: [...path], message });
}

/** What is wrong with the plan's adversary; empty when nothing is, or when it has none. */
export function adversaryIssues(plan: CampaignWithAdversary): PlanIssue[] {
  const { objective, recipe } = plan;
  if (objective.kind !== 'universal-model' || objective.adversary.mode === 'none') return [];
  const issues = basicIssues(plan);
  if (objective.adversary.mode === 'frozen') return [...issues, ...frozenIssues(plan)];
  if (NEED_WHOLE_UPDATES.has(recipe.name)) {
    const message = `${recipe.name} compares or corrects whole updates, and a site with one modality leaves the adversary out of its own`;
    issues.push({ path: ['recipe', 'name'], message });
  }
  return issues;
}

function basicIssues({ model, objective, patch }: Pick<CampaignWithAdversary, 'model' | 'objective' | 'patch'>): PlanIssue[] {
  if (objective.kind !== 'universal-model' || objective.adversary.mode === 'none') return [];
  const issues: PlanIssue[] = [];
  if (model.architecture === 'universal-model' && model.modalities === 0) {
    const message = 'an adversary needs a model that has one: 2 or more modalities, or the objective’s adversary with mode none';
    issues.push({ path: ['model', 'modalities'], message });
  }
  if (objective.adversary.warmUpShare >= 1) {
    const message = 'the adversary would never begin: its warm-up is a share of all steps, below 1';
    issues.push({ path: ['objective', 'adversary', 'warmUpShare'], message });
  }
  const voxels = patch.sizeVoxels.reduce((product, side) => product * Math.ceil(side / ADVERSARY_STRIDE), 1);
  if (voxels < LEAST_VOXELS) {
    const message = 'of so small a patch the adversary’s last norm leaves nothing to tell: two sides must exceed 16, or one 48';
    issues.push({ path: ['patch', 'sizeVoxels'], message });
  }
  return issues;
}

function frozenIssues({ model, objective, recipe, siteLocal = [], rounds }: CampaignWithAdversary): PlanIssue[] {
  const issues: PlanIssue[] = [];
  const refuse = (path: readonly string[], message: string): void => void issues.push({ path, message });
  if (recipe.name === 'fedbuff') {
    refuse(['recipe', 'name'], 'a frozen adversary’s gradients belong to one shared version; fedbuff mixes updates of several');
  } else if (recipe.name === 'scaffold') {
    refuse(
      ['recipe', 'name'],
      'scaffold has no control variates for the gradients of adversary rounds; use "fedavg" or "fedprox"',
    );
  } else if (ROBUST.has(recipe.name)) {
    const message = `${recipe.name} cannot hold what it promises: adversary rounds average gradients, in which honest sites of one modality oppose each other`;
    refuse(['recipe', 'name'], message);
  }
  if (model.architecture === 'universal-model' && model.norm === 'batch') {
    const message =
      'adversary rounds need a norm that keeps patches apart: with "batch" the sites’ gradients do not add up to the central one';
    refuse(['model', 'norm'], message);
  }
  const matchers = siteLocal.map(siteLocalMatcher);
  const own = parametersOf(model).find(
    (parameter) => parameter.name.startsWith(ADVERSARY_PREFIX) && matchers.some((matches) => matches(parameter)),
  );
  if (own !== undefined) {
    const message = `a frozen adversary is the same at all sites, but ${own.name} would stay at each; name the backbone’s parameters by patterns such as "e*.1.*"`;
    refuse(['siteLocal'], message);
  }
  return [...issues, ...warmUpIssues(objective, rounds)];
}

/** The adversary learns before it pulls, and pulls before it is over. */
function warmUpIssues(objective: ObjectivePlan, rounds: number): PlanIssue[] {
  const { trainingRounds, subRounds } = placeOfRound(objective, 1, rounds);
  if (trainingRounds < 2) {
    const message = `the adversary would never pull: a round of the representation, ${subRounds} of the adversary and another of the representation make ${subRounds + 2}`;
    return [{ path: ['rounds'], message }];
  }
  const warmUpShare = frozenAdversary(objective)?.warmUpShare ?? 0;
  if (warmUpShare * trainingRounds >= 1) return [];
  const message = `the adversary would pull before it has learnt anything: the warm-up must last one of the ${trainingRounds} rounds of the representation, so at least ${Math.ceil(1000 / trainingRounds) / 1000}`;
  return [{ path: ['objective', 'adversary', 'warmUpShare'], message }];
}
