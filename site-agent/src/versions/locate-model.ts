import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import type { AgentJournal, FetchedVersion } from '../agent/agent-journal.js';
import { modelFile, type SiteFolder } from '../config/site-folder.js';
import { findVersion, parseVersionName } from './version-name.js';

/** A version that is here, by its pin or as CAMPAIGN[@VERSION], where CAMPAIGN@latest is CAMPAIGN; undefined when there is none of that name. */
export function versionNamed(text: string, journal: AgentJournal, folder: SiteFolder): FetchedVersion | undefined {
  const here = journal.versions().filter(({ digest }) => existsSync(modelFile(folder, digest)));
  const pin = journal.pins().find(({ name }) => name === text);
  if (pin !== undefined) return here.find(({ digest }) => digest === pin.digest);
  const wanted = text.replace(/@latest$/, '');
  return /^[\w.-]+(@\d+)?$/.test(wanted) ? findVersion(here, parseVersionName(wanted)) : undefined;
}

/**
 * The file that a human means: a path, the name of a pin, or CAMPAIGN[@VERSION] of the versions that are here. NOT_FOUND when it is
 * none of them.
 */
export function locateModel(text: string, journal: AgentJournal, folder: SiteFolder): string {
  if (existsSync(text)) return resolve(text);
  const version = versionNamed(text, journal, folder);
  if (version !== undefined) return modelFile(folder, version.digest);
  const [campaign] = text.split('@');
  const here = journal
    .versions()
    .filter(({ campaignName, digest }) => campaignName === campaign && existsSync(modelFile(folder, digest)));
  const listed = here.length === 0 ? '' : `Of ${campaign}, these are here: ${here.map(({ number }) => number).join(', ')}. `;
  throw new FederationError('NOT_FOUND', `${text} is neither a file, nor a pin, nor a version that is here`, {
    remedy: `${listed}See what there is with "site-agent model list"; fetch a version with "site-agent model pull CAMPAIGN@VERSION".`,
  });
}
