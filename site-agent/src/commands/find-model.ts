import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { loadAgentConfig } from '../config/agent-config.js';
import { locateModel } from '../versions/locate-model.js';
import { withSiteJournal } from './site-journal.js';

/**
 * The file that a human means: a path, or in a site's folder the name of a pin or CAMPAIGN[@VERSION]. Where there is no such
 * folder the text can only be a path, which may turn out not to exist.
 */
export async function findModel(text: string, home: string): Promise<string> {
  if (existsSync(text) || !existsSync(loadAgentConfig({ home }).folder.home)) return resolve(text);
  return withSiteJournal(home, (journal, folder) => locateModel(text, journal, folder));
}
