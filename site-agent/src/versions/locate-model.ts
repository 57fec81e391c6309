import { existsSync } from 'node:fs';
import { digestOfFile, FederationError } from '@consilium/shared/kernel';
import type { AgentJournal, FetchedVersion, PinnedFile } from '../agent/agent-journal.js';
import { modelFile, type SiteFolder } from '../config/site-folder.js';
import { asVersionName, findVersion } from './version-name.js';

/** A version that is here, by its pin or as CAMPAIGN[@VERSION]; undefined when there is none of that name. */
export function versionNamed(text: string, journal: AgentJournal, folder: SiteFolder): FetchedVersion | undefined {
  const here = versionsHere(journal, folder);
  const pin = journal.pins().find(({ name }) => name === text);
  if (pin !== undefined) return here.find(({ digest }) => digest === pin.digest);
  const wanted = asVersionName(text);
  return wanted === undefined ? undefined : findVersion(here, wanted);
}

function versionsHere(journal: AgentJournal, folder: SiteFolder): FetchedVersion[] {
  return journal.versions().filter(({ digest }) => existsSync(modelFile(folder, digest)));
}

/**
 * The file of a model that a site knows by name: a pin of a version or of a file of the site's own, or CAMPAIGN[@VERSION] of the
 * versions that are here. Undefined when it is none of them; NOT_FOUND or DIGEST_MISMATCH when a pinned file is gone or another.
 */
export async function namedModel(text: string, journal: AgentJournal, folder: SiteFolder): Promise<string | undefined> {
  const own = journal.pinnedFiles().find(({ name }) => name === text);
  if (own !== undefined) return requireUnchanged(own);
  const version = versionNamed(text, journal, folder);
  return version && modelFile(folder, version.digest);
}

/** A name that silently stands for other weights than those that were pinned would spoil whatever is told of them. */
async function requireUnchanged({ name, path, digest }: PinnedFile): Promise<string> {
  if (!existsSync(path)) {
    throw new FederationError('NOT_FOUND', `the model that is pinned as ${name} is no longer at ${path}`, {
      remedy: `Put it back, or give up the name: site-agent model unpin ${name}`,
    });
  }
  if ((await digestOfFile(path)) === digest) return path;
  throw new FederationError('DIGEST_MISMATCH', `the model at ${path} is another one than when it was pinned as ${name}`, {
    remedy: `If that is meant, pin it again: site-agent model pin ${path} --as ${name}`,
  });
}

/** What is here of the campaign that a name seems to mean, for people; empty when nothing is. */
export function describeNumbersHere(text: string, journal: AgentJournal, folder: SiteFolder): string {
  const campaign = asVersionName(text)?.campaign;
  const numbers = versionsHere(journal, folder).flatMap((version) => (version.campaignName === campaign ? version.number : []));
  return numbers.length === 0 ? '' : `Of ${campaign}, these are here: ${numbers.join(', ')}. `;
}
