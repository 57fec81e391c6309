import type { RecipePlan } from '@consilium/shared/wire';
import type { Recipe } from './recipe.js';
import { fedavg } from './recipes/fedavg.js';

const RECIPES: Readonly<Record<RecipePlan['name'], Recipe>> = { fedavg };

export function recipeOf(plan: RecipePlan): Recipe {
  return RECIPES[plan.name];
}
