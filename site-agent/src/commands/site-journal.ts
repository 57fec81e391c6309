import { existsSync } from 'node:fs';
import { AgentJournal } from '../agent/agent-journal.js';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { requireHome, type SiteFolder } from '../config/site-folder.js';

/** As {@link withSiteJournal}, for what a journal only adds to: without a site's folder there is none. */
export async function withJournalIfAny<T>(home: string, use: (journal: AgentJournal | undefined) => Promise<T>): Promise<T> {
  if (!existsSync(loadAgentConfig({ home }).folder.home)) return use(undefined);
  return withSiteJournal(home, use);
}

/** Opens the journal of a site's folder for a command, and closes it whatever happens. FOLDER_MISSING when there is no such folder. */
export async function withSiteJournal<T>(
  home: string,
  use: (journal: AgentJournal, folder: SiteFolder, config: AgentConfig) => T | Promise<T>,
): Promise<T> {
  const config = loadAgentConfig({ home });
  const { folder } = config;
  requireHome(folder);
  const journal = AgentJournal.open(folder.databaseFile);
  try {
    return await use(journal, folder, config);
  } finally {
    journal.close();
  }
}
