/** The one rule by which every command and task file finds the model that a human names. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { SCRATCH } from '../finetuning/tasks/finetune-case.js';
import { foldFolder } from '../finetuning/tasks/finetune-folder.js';
import { type ModelFile, modelFileAt, readModelFile, requireNoFolds } from '../finetuning/answers/model-file.js';
import { describeNumbersHere, namedModel } from '../versions/locate-model.js';
import { isFoldsFolder, openFoldsFolder } from './folds-folder.js';
import { withSiteJournal } from './site-journal.js';

/** What may be named, as help texts say it. */
export const MODEL_NAMES = 'model file, folder of "finetune", pin or CAMPAIGN[@VERSION]';

const ASK_LIST = 'See what there is with "site-agent model list"; fetch a version with "site-agent model pull CAMPAIGN@VERSION".';

/**
 * The absolute path of the model file that a human means, in this order: a file, a folder that holds model.safetensors, the name of a
 * pin, CAMPAIGN[@VERSION] among the versions of the site at `home`. Relative paths start from `folder`. Where there is no site's folder
 * only paths name anything. Throws NOT_FOUND, and DIGEST_MISMATCH for a pinned file that has changed.
 */
export async function findModel(name: string, home: string, folder: string = process.cwd()): Promise<string> {
  const path = resolve(folder, name);
  const file = await modelFileAt(path);
  if (file !== undefined) return file;
  if (!existsSync(loadAgentConfig({ home }).folder.home)) throw notFound(name, path, `${ASK_LIST} There is no site at ${home}.`);
  return withSiteJournal(home, async (journal, site) => {
    const named = await namedModel(name, journal, site);
    if (named !== undefined) return named;
    throw notFound(name, path, describeNumbersHere(name, journal, site) + ASK_LIST);
  });
}

function notFound(name: string, path: string, remedy: string): FederationError {
  requireNoFolds(path);
  if (name === SCRATCH) {
    return new FederationError('NOT_FOUND', `"${SCRATCH}" is a start for training and no model`, { remedy: ASK_LIST });
  }
  const message = existsSync(path)
    ? `the folder ${path} holds no model.safetensors, and ${name} is neither a pin nor a version that is here`
    : `${name} is neither a file, nor a pin, nor a version that is here`;
  return new FederationError('NOT_FOUND', message, { remedy });
}

/** Reads the model that {@link findModel} finds; throws as that and as {@link readModelFile}. */
export async function openModel(name: string, home: string, folder?: string): Promise<ModelFile> {
  return readModelFile(await findModel(name, home, folder));
}

/** As {@link openModel}, of a model that answers a task; ARGUMENT_INVALID for one that is pretrained only. */
export async function openTaskModel(name: string, home: string): Promise<ModelFile> {
  const model = await openModel(name, home);
  if (model.segmentation !== undefined || model.classification !== undefined) return model;
  throw new FederationError('ARGUMENT_INVALID', `the model ${name} is pretrained only: it has no task and knows no classes`, {
    remedy:
      `Fine-tune it first: site-agent finetune TASK.yaml --from ${name}. One that was exported to PyTorch and imported again has left ` +
      'its task behind: use the model itself.',
  });
}

/**
 * The models that answer together: those of all folds where `name` is the folder of a task with folds, else the one of
 * {@link openTaskModel}. NOT_FOUND while a fold is missing.
 */
export async function openAnsweringModels(name: string, home: string): Promise<readonly ModelFile[]> {
  const folder = resolve(name);
  if (!(await isFoldsFolder(folder))) return [await openTaskModel(name, home)];
  const { folds } = await openFoldsFolder(folder);
  return Promise.all(folds.map((fold) => readModelFile(foldFolder(folder, fold))));
}

/**
 * What training starts from: "scratch", or the path of a model file that could be read, so that a wrong start fails before anything
 * else is done. Throws as {@link openModel}.
 */
export async function findStart(name: string, home: string, folder?: string): Promise<string> {
  return name === SCRATCH ? SCRATCH : (await openModel(name, home, folder)).path;
}
