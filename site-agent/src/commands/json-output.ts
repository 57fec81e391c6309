import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { makeFolder } from '../finetuning/tasks/finetune-folder.js';
import { writeFileWhole } from '@consilium/shared/weights';

export const JSON_OPTION = '--json [file]';
export const JSON_OPTION_TEXT = 'write the figures as JSON into a file; print them when no file is named';

/** What `--json` was given: nothing, no file, or a file. */
export type JsonChoice = string | boolean | undefined;

/**
 * Makes the folder of the file that `--json` names: call it before long work, whose end is no time to learn that there is no place for
 * its figures. ARGUMENT_INVALID where a folder is named.
 */
export async function requireJsonPlace(choice: JsonChoice): Promise<void> {
  if (typeof choice !== 'string') return;
  const path = resolve(choice);
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    throw new FederationError('ARGUMENT_INVALID', `--json ${choice} is a folder`, { remedy: 'Name a file in it.' });
  }
  await makeFolder(dirname(path));
}

/** Prints the figures as JSON, or prints the text and writes them into the file; the text alone without `--json`. */
export async function showFigures(choice: JsonChoice, figures: object, text: () => string): Promise<void> {
  const json = JSON.stringify(figures, null, 2);
  console.log(choice === true ? json : text());
  if (typeof choice === 'string') await writeFileWhole(resolve(choice), [Buffer.from(`${json}\n`)]);
}
