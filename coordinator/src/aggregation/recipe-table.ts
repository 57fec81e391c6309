import type { FoldRecipe, Recipe } from './recipe.js';
import { adversaryAdam } from './recipes/adversary-adam.js';
import { fedadagrad } from './recipes/fedadagrad.js';
import { fedadam } from './recipes/fedadam.js';
import { fedavg } from './recipes/fedavg.js';
import { fedavgm } from './recipes/fedavgm.js';
import { fedbuff } from './recipes/fedbuff.js';
import { fedprox } from './recipes/fedprox.js';
import { fedyogi } from './recipes/fedyogi.js';
import { krum } from './recipes/krum.js';
import { median } from './recipes/median.js';
import { multiKrum } from './recipes/multi-krum.js';
import { scaffold } from './recipes/scaffold.js';
import { trimmedMean } from './recipes/trimmed-mean.js';

/** The recipe that a plan names, with the plan's arguments. */
export function recipeOf(plan: FoldRecipe): Recipe {
  switch (plan.name) {
    case 'fedavg':
      return fedavg(plan);
    case 'fedavgm':
      return fedavgm(plan);
    case 'fedadagrad':
      return fedadagrad(plan);
    case 'fedadam':
      return fedadam(plan);
    case 'fedyogi':
      return fedyogi(plan);
    case 'fedprox':
      return fedprox(plan);
    case 'scaffold':
      return scaffold(plan);
    case 'median':
      return median;
    case 'trimmed-mean':
      return trimmedMean(plan);
    case 'krum':
      return krum(plan);
    case 'multi-krum':
      return multiKrum(plan);
    case 'fedbuff':
      return fedbuff(plan);
    case 'adversary-adam':
      return adversaryAdam(plan);
  }
}
