import { resolve } from 'node:path';
import { writeFileWhole } from '@consilium/shared/weights';

export const JSON_OPTION = '--json [file]';
export const JSON_OPTION_TEXT = 'write the figures as JSON into a file; print them when no file is named';

/** What `--json` was given: nothing, no file, or a file. */
export type JsonChoice = string | boolean | undefined;

/** Prints the figures as JSON, or writes them into the file and prints the text; the text alone without `--json`. */
export async function showFigures(choice: JsonChoice, figures: object, text: () => string): Promise<void> {
  const json = JSON.stringify(figures, null, 2);
  if (choice === true) {
    console.log(json);
    return;
  }
  if (typeof choice === 'string') await writeFileWhole(resolve(choice), [Buffer.from(`${json}\n`)]);
  console.log(text());
}
