import { AgentJournal } from '../agent/agent-journal.js';
import { type AgentConfig, loadAgentConfig } from '../config/agent-config.js';
import { requireHome, type SiteFolder } from '../config/site-folder.js';

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
