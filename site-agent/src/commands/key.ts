import { Command } from 'commander';
import { FederationError } from '@consilium/shared/kernel';
import { lockHome } from '../agent/agent-lock.js';
import { loadAgentConfig } from '../config/agent-config.js';
import { requireIdentity } from '../config/site-identity.js';
import { outgoingLine } from '../link/outgoing-line.js';
import { renewKey } from '../link/renew-key.js';
import { requireKey } from '../link/site-access.js';

/** `site-agent key`: the key that this site signs its requests with. */
export function keyCommand(): Command {
  const command = new Command('key').description('the key that this site signs its requests with');
  command.addCommand(
    new Command('renew')
      .description('make a new key and have it take the place of the old one; the agent must not run meanwhile')
      .addHelpText('after', '\nExample:\n  site-agent --home my-site key renew')
      .action(async (_options: unknown, own: Command) => renew(own.optsWithGlobals<{ home: string }>().home)),
  );
  return command;
}

async function renew(home: string): Promise<void> {
  const config = loadAgentConfig({ home });
  const { folder } = config;
  const identity = requireIdentity(folder);
  if (identity.credential !== undefined) {
    throw new FederationError('ARGUMENT_INVALID', 'this site has no key that the coordinator knows', {
      remedy: 'Start the agent once: it makes one and trades the credential for it.',
    });
  }
  const release = lockHome(folder);
  try {
    const coordinatorUrl = config.coordinatorUrl ?? identity.coordinatorUrl;
    const key = await renewKey(folder, { coordinatorUrl, line: outgoingLine(config), key: requireKey(folder) });
    console.log(`This site has a new key, ${key.thumbprint}; the old one is void.`);
  } finally {
    release();
  }
}
