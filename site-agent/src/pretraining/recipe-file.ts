import { readFileSync } from 'node:fs';
import { FederationError } from '@consilium/shared/kernel';
import { parseWith } from '@consilium/shared/wire';
import { parse as parseYaml, stringify as stringifyYaml } from 'yaml';
import { type PretrainRecipe, pretrainRecipeSchema } from './pretrain-recipe.js';

/** Reads a pretraining recipe (YAML or JSON). RECIPE_INVALID names the field, NOT_FOUND a file that cannot be read. */
export function readRecipeFile(path: string): PretrainRecipe {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FederationError('NOT_FOUND', `the recipe ${path} cannot be read`, {
      cause,
      remedy: 'Check the path; "site-agent pretrain --example" prints a recipe to begin with.',
    });
  }
  return parseRecipe(text);
}

/** As {@link readRecipeFile}, from the text of the file. */
export function parseRecipe(text: string): PretrainRecipe {
  let content: unknown;
  try {
    content = parseYaml(text);
  } catch (cause) {
    const words = cause instanceof Error ? cause.message.split('\n')[0] : String(cause);
    throw new FederationError('RECIPE_INVALID', `the recipe is not valid YAML: ${words}`, {
      cause,
      remedy: 'Correct the file; indentation and colons are the usual reasons.',
    });
  }
  return parseWith(pretrainRecipeSchema, content, 'RECIPE_INVALID', 'the recipe');
}

/** The recipe as a file with every default written out; it reads back as the same recipe. */
export function describeRecipe(recipe: PretrainRecipe): string {
  return stringifyYaml(recipe);
}
