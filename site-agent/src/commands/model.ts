import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { formatBytes, shortDigest } from '@consilium/shared/kernel';
import { AgentJournal } from '../agent/agent-journal.js';
import { loadAgentConfig } from '../config/agent-config.js';
import { modelFile, requireHome } from '../config/site-folder.js';
import { formatTable } from '@consilium/shared/terminal';

/** `site-agent model list`: the model versions that this site has fetched, ready for fine-tuning. */
export function modelCommand(): Command {
  const list = new Command('list')
    .description('list the model versions that are here, newest first')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nStart a fine-tuning from one:\n  site-agent finetune task.yaml --from FILE')
    .action((_options: unknown, command: Command) => {
      const { home, json } = command.optsWithGlobals<{ home: string; json?: boolean }>();
      const versions = listVersions(home);
      if (json === true) console.log(JSON.stringify(versions, null, 2));
      else if (versions.length === 0) console.log('No model version is here yet; the agent fetches one with each round.');
      else console.log(describe(versions));
    });
  return new Command('model').description('model versions of the federation at this site').addCommand(list);
}

function listVersions(home: string) {
  const { folder } = loadAgentConfig({ home });
  requireHome(folder);
  const journal = AgentJournal.open(folder.databaseFile);
  try {
    return journal
      .versions()
      .map((version) => ({ ...version, path: modelFile(folder, version.digest) }))
      .filter(({ path }) => existsSync(path));
  } finally {
    journal.close();
  }
}

function describe(versions: ReturnType<typeof listVersions>): string {
  const rows = versions.map(({ campaignName, number, digest, bytes, path }) => [
    campaignName,
    number,
    shortDigest(digest),
    formatBytes(bytes),
    path,
  ]);
  return formatTable(['campaign', 'version', 'digest', 'size', 'file'], rows);
}
