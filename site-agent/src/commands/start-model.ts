import { SCRATCH } from '../finetuning/finetune-case.js';
import { readModelFile } from '../finetuning/model-file.js';
import { findModel } from './find-model.js';

/**
 * What a start stands for: "scratch", or the absolute path of a model file that could be read. A path that is there wins over a pin
 * or a version CAMPAIGN[@NUMBER] of the site at `home`. Throws NOT_FOUND for a version that the site has not fetched, and as
 * {@link readModelFile}: a wrong start fails before anything else is done.
 */
export async function locateStart(start: string, home: string): Promise<string> {
  if (start === SCRATCH) return SCRATCH;
  return (await readModelFile(await findModel(start, home))).path;
}
