import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { AgentJournal, type FetchedVersion } from '../agent/agent-journal.js';
import { loadAgentConfig } from '../config/agent-config.js';
import { modelFile, requireHome, type SiteFolder } from '../config/site-folder.js';
import { isVersionName, SCRATCH } from '../finetuning/finetune-case.js';
import { readModelFile } from '../finetuning/model-file.js';

/**
 * What a start stands for: "scratch", or the absolute path of a model file that could be read. A path that is there wins over a
 * version CAMPAIGN@NUMBER or CAMPAIGN@latest of the site at `home`. Throws NOT_FOUND for a version that the site has not
 * fetched, and as {@link readModelFile}: a wrong start fails before anything else is done.
 */
export async function locateStart(start: string, home: string): Promise<string> {
  if (start === SCRATCH) return SCRATCH;
  const path = resolve(start);
  const location = isVersionName(start) && !existsSync(path) ? pathOfVersion(start, home) : path;
  return (await readModelFile(location)).path;
}

function pathOfVersion(name: string, home: string): string {
  const { folder } = loadAgentConfig({ home });
  requireHome(folder);
  const at = name.lastIndexOf('@');
  const [campaign, wanted] = [name.slice(0, at), name.slice(at + 1)];
  const here = versionsHere(folder).filter(({ campaignName }) => campaignName === campaign);
  const newest = here.reduce<FetchedVersion | undefined>(
    (latest, version) => (latest === undefined || version.number > latest.number ? version : latest),
    undefined,
  );
  const found = wanted === 'latest' ? newest : here.find(({ number }) => number === Number(wanted));
  if (found !== undefined) return modelFile(folder, found.digest);
  const numbers = here.map(({ number }) => number).join(', ');
  throw new FederationError('NOT_FOUND', `the version ${name} is not at this site`, {
    remedy: numbers === '' ? '"site-agent model list" shows what is here.' : `Of ${campaign}, these are here: ${numbers}.`,
  });
}

/** Those whose file is still there. */
function versionsHere(folder: SiteFolder): FetchedVersion[] {
  const journal = AgentJournal.open(folder.databaseFile);
  try {
    return journal.versions().filter(({ digest }) => existsSync(modelFile(folder, digest)));
  } finally {
    journal.close();
  }
}
