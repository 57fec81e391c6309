import { Command } from 'commander';
import { FederationError, isLoopbackHost } from '@consilium/shared/kernel';
import { loadAgentConfig } from '../config/agent-config.js';
import { ENROLMENT_TOKEN_VARIABLE, enrolmentToken } from '../config/enrolment-token.js';
import { readIdentity } from '../config/site-identity.js';
import type { SiteFolder } from '../config/site-folder.js';
import { joinSite } from '../link/join-site.js';
import { outgoingLine } from '../link/outgoing-line.js';

interface JoinOptions {
  readonly home: string;
  readonly coordinator?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly force?: boolean;
  readonly plainHttp?: boolean;
}

/** `site-agent join`: a one-time token becomes this folder's identity, with a key that is made here. */
export function joinCommand(): Command {
  return new Command('join')
    .description('join a federation with the token that its operator gave you')
    .option('--coordinator <url>', 'address of the coordinator, such as https://coordinator.example')
    .option('--token-file <file>', 'file with the one-time token; - reads it from standard input')
    .option('--token <token>', 'the token itself, where others on this computer can read it in the list of processes')
    .option('--force', 'replace the identity that this folder has')
    .option('--plain-http', 'join over a line that is not encrypted: anybody on the way can read and change everything')
    .addHelpText(
      'after',
      `
Without one of the two, the token is taken from ${ENROLMENT_TOKEN_VARIABLE}, or asked for.

Example:
  site-agent --home my-site join --coordinator http://127.0.0.1:7700 --token-file token.txt`,
    )
    .action(async (_options: unknown, command: Command) => join(command.optsWithGlobals<JoinOptions>()));
}

async function join({ home, coordinator, force, plainHttp, ...sources }: JoinOptions): Promise<void> {
  const config = loadAgentConfig({ home, flags: { coordinator } });
  const { folder, coordinatorUrl } = config;
  if (coordinatorUrl === undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'the address of the coordinator is missing', {
      remedy: 'Add --coordinator URL, or "coordinator: URL" to site.yaml.',
    });
  }
  if (plainHttp !== true) requireEncryptedLine(coordinatorUrl);
  if (force !== true) refuseSecondIdentity(folder);
  const line = outgoingLine(config);
  if (sources.token !== undefined) {
    console.error('Remark: a token on the command line can be read by others on this computer; --token-file keeps it to you.');
  }
  const { siteName, credential } = await joinSite(folder, coordinatorUrl, await enrolmentToken(sources), line);
  const [secret, what] = credential === undefined ? [folder.keyFile, 'Key'] : [folder.identityFile, 'Identity'];
  console.log(`This folder is now the site "${siteName}" of ${coordinatorUrl}.`);
  console.log(`${what}: ${secret} (keep it secret: who has a copy can pass for this site)`);
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
