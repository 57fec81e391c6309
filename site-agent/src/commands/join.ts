import { Command } from 'commander';
import { FederationError, isLoopbackHost } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { AGENT_VERSION } from '../config/agent-version.js';
import { readIdentity, saveIdentity, type SiteIdentity } from '../config/site-identity.js';
import type { SiteFolder } from '../config/site-folder.js';
import { enrol } from '../link/enrolment.js';

interface JoinOptions {
  readonly home: string;
  readonly coordinator?: string;
  readonly token: string;
  readonly force?: boolean;
  readonly plainHttp?: boolean;
}

/** `site-agent join`: a one-time token becomes this folder's identity. */
export function joinCommand(): Command {
  return new Command('join')
    .description('join a federation with the token that its operator gave you')
    .option('--coordinator <url>', 'address of the coordinator, such as https://coordinator.example')
    .requiredOption('--token <token>', 'the one-time token')
    .option('--force', 'replace the identity that this folder has')
    .option('--plain-http', 'join over a line that is not encrypted: anybody on the way can read and change everything')
    .addHelpText('after', '\nExample:\n  site-agent --home my-site join --coordinator http://127.0.0.1:7700 --token TOKEN')
    .action(async (_options: unknown, command: Command) => join(command.optsWithGlobals<JoinOptions>()));
}

async function join({ home, coordinator, token, force, plainHttp }: JoinOptions): Promise<void> {
  const { folder, coordinatorUrl } = loadAgentConfig({ home, flags: { coordinator } });
  if (coordinatorUrl === undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'the address of the coordinator is missing', {
      remedy: 'Add --coordinator URL, or "coordinator: URL" to site.yaml.',
    });
  }
  if (plainHttp !== true) requireEncryptedLine(coordinatorUrl);
  if (force !== true) refuseSecondIdentity(folder);
  const { siteId, siteName, credential } = await enrol(coordinatorUrl, token, AGENT_VERSION);
  const identity: SiteIdentity = { siteId, siteName, coordinatorUrl, credential };
  saveIdentity(folder, identity);
  console.log(`This folder is now the site "${siteName}" of ${coordinatorUrl}.`);
  console.log(`Identity: ${folder.identityFile} (keep it secret; it is this site's key)`);
  console.log('\nNext:');
  console.log(`  site-agent --home ${home} index FOLDER     find the scans to train on`);
  console.log(`  site-agent --home ${home} start            take part`);
}

/** The credential, weights and figures travel on this line. */
function requireEncryptedLine(coordinatorUrl: string): void {
  const { protocol, hostname } = new URL(coordinatorUrl);
  if (protocol === 'https:' || isLoopbackHost(hostname)) return;
  throw new FederationError('ARGUMENT_INVALID', `the line to ${coordinatorUrl} would not be encrypted`, {
    remedy: 'Use its https address; ask its operator for it. On a closed network of your own: --plain-http.',
  });
}

function refuseSecondIdentity(folder: SiteFolder): void {
  const present = readIdentity(folder);
  if (present === undefined) return;
  throw new FederationError(
    'ARGUMENT_INVALID',
    `this folder already is the site "${present.siteName}" of ${present.coordinatorUrl}`,
    {
      details: { site: present.siteName },
      remedy: 'Choose another folder with --home, or replace the identity with --force.',
    },
  );
}
