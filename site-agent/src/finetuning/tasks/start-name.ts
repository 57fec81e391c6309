import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { asVersionName } from '../../versions/version-name.js';
import { SCRATCH } from './finetune-case.js';
import { finetuneFolder } from './finetune-folder.js';

/** Nobody calls a pin or a campaign so: who writes this means a file. */
const FILE_ENDING = /\.(safetensors|pt|pth)$/;

/**
 * The start that a file names, relative to the file's folder: "scratch", the absolute path of what is there, or else the name of a pin or
 * CAMPAIGN[@VERSION] as it was written, for whoever knows the site's names. TASK_INVALID, naming the field, for a path where nothing is.
 */
export function resolveStartName(name: string, folder: string, field: string): string {
  const path = resolve(folder, name);
  if (name === SCRATCH) return name;
  const names = existsSync(path) && (statSync(path).isFile() || existsSync(finetuneFolder(path).modelFile));
  if (names) return path;
  if (asVersionName(name) !== undefined && !FILE_ENDING.test(name)) return name;
  if (existsSync(path)) return path; // such as a folder of folds: who opens it says what is amiss
  throw new FederationError('TASK_INVALID', `${field}: there is no model ${path}`, {
    details: { field },
    remedy: 'Name a model file, a folder of "finetune", a pin, CAMPAIGN@VERSION or "scratch"; paths are relative to this file.',
  });
}
