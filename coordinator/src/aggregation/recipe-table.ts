import type { RecipePlan } from '@consilium/shared/wire';
import { required } from '@consilium/shared/kernel';
import type { Recipe } from './recipe.js';
import { fedavg } from './recipes/fedavg.js';

const RECIPES: Readonly<Partial<Record<RecipePlan['name'], Recipe>>> = { fedavg };

export function recipeOf(plan: RecipePlan): Recipe {
  return required(RECIPES[plan.name], `the recipe ${plan.name}`);
}
