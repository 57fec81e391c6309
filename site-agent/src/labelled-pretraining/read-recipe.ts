import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { FederationError } from '@consilium/shared/kernel';
import { withBranches, medicalnetSpecSchema, modelSpecSchema } from '@consilium/shared/models';
import { parseWith } from '@consilium/shared/wire';
import { imagePlanOf } from '../finetuning/tasks/image-plan.js';
import { resolveStartName } from '../finetuning/tasks/start-name.js';
import { readTaskFile } from '../finetuning/tasks/task-file.js';
import { branchOutputs, type LabelledCollection, type LabelledRecipe, labelledRecipeSchema } from './labelled-recipe.js';

/**
 * Reads a recipe (YAML or JSON) and the task files that it names. Throws TASK_INVALID naming the field, the task or the file
 * that is wrong, NOT_FOUND when a file is absent.
 */
export function readRecipe(path: string): LabelledRecipe {
  const folder = dirname(resolve(path));
  const fields = parseWith(labelledRecipeSchema, parseText(path), 'TASK_INVALID', 'the recipe');
  const collections = fields.collections.map(({ task, name }) => readCollection(resolve(folder, task), name));
  requireBranches(collections);
  requireApart(collections);
  return { ...fields, start: resolveStartName(fields.start, folder, 'start'), collections };
}

function parseText(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FederationError('NOT_FOUND', `the recipe ${path} cannot be read`, { cause, remedy: 'Check the path.' });
  }
  try {
    return parseYaml(text);
  } catch (cause) {
    throw new FederationError('TASK_INVALID', `the recipe ${path} is not valid YAML`, {
      cause,
      remedy: 'Correct the file; docs/guides/med3d.md shows an example.',
    });
  }
}

function readCollection(path: string, name: string | undefined): LabelledCollection {
  const task = readTaskFile(path);
  return { name: name ?? task.name, classes: task.classes, cases: task.cases, ...imagePlanOf(task) };
}

function requireBranches(collections: readonly LabelledCollection[]): void {
  const branches = collections.map((collection) => ({ name: collection.name, outputs: branchOutputs(collection) }));
  const encoder = medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet' });
  const { error } = modelSpecSchema.safeParse(withBranches(encoder, branches));
  if (error === undefined) return;
  throw new FederationError('TASK_INVALID', `collections: these names do not do: ${error.issues[0]?.message}`, {
    remedy: 'Give each collection a "name" of its own, of letters, digits, "_" and "-".',
  });
}

/** An image that one collection trains on and another validates with would make its Dice meaningless. */
function requireApart(collections: readonly LabelledCollection[]): void {
  const trained = new Set(collections.flatMap(({ cases }) => cases.train.map(({ image }) => image)));
  for (const { name, cases } of collections) {
    const shared = [...cases.validation, ...cases.test].find(({ image }) => trained.has(image));
    if (shared === undefined) continue;
    throw new FederationError('TASK_INVALID', `${name}: another collection trains on the image of its case ${shared.name}`, {
      remedy: 'Take the case out of the training cases of the other collection.',
    });
  }
}
