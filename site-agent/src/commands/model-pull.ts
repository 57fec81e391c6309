import { Command } from 'commander';
import { formatBytes, shortDigest, systemClock } from '@consilium/shared/kernel';
import { requireIdentity } from '../config/site-identity.js';
import { outgoingLine } from '../link/outgoing-line.js';
import { siteAccess } from '../link/site-access.js';
import { type PulledVersion, pullVersion } from '../versions/pull-version.js';
import { parseVersionName } from '../versions/version-name.js';
import { withSiteJournal } from './site-journal.js';

interface PullOptions {
  readonly home: string;
  readonly json?: boolean;
}

/** `site-agent model pull CAMPAIGN[@VERSION]`. */
export function pullCommand(): Command {
  return new Command('pull')
    .description('fetch a version and its passport from the coordinator; goes on where an earlier attempt broke off')
    .argument('<version>', 'CAMPAIGN for its newest version, or CAMPAIGN@NUMBER')
    .option('--json', 'print the result as JSON')
    .addHelpText('after', '\nExamples:\n  site-agent model pull chest\n  site-agent model pull chest@12')
    .action(async (version: string, _options: unknown, command: Command) =>
      pull(version, command.optsWithGlobals<PullOptions>()),
    );
}

async function pull(text: string, { home, json }: PullOptions): Promise<void> {
  const wanted = parseVersionName(text);
  await withSiteJournal(home, async (journal, folder, config) => {
    const access = siteAccess(folder, requireIdentity(folder), {
      coordinatorUrl: config.coordinatorUrl,
      line: outgoingLine(config),
    });
    const stop = new AbortController();
    process.once('SIGINT', () => stop.abort());
    const parts = { folder, journal, access, nowMs: systemClock.nowMs() };
    const pulled = await pullVersion(wanted, parts, {
      signal: stop.signal,
      onWait: ({ message }, retryInMs) => console.error(`${message}; trying again in ${Math.ceil(retryInMs / 1000)} s`),
    });
    console.log(json === true ? JSON.stringify(pulled, null, 2) : describe(pulled));
  });
}

function describe({ campaignName, number, digest, bytes, path, passportPath, fetched }: PulledVersion): string {
  const how = fetched ? `${formatBytes(bytes)} fetched` : 'was here already';
  return [
    `${campaignName}@${number}  ${shortDigest(digest)}, ${how}`,
    `weights   ${path}`,
    `passport  ${passportPath}`,
    '',
    'Next:',
    `  site-agent model pin ${campaignName}@${number} --as NAME     keep it`,
    `  site-agent finetune TASK.yaml --from ${campaignName}@${number}`,
  ].join('\n');
}
