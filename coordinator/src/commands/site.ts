import { siteViewSchema } from '@consilium/shared/wire';
import { formatTable } from '@consilium/shared/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

const invitationSchema = z.object({ name: z.string(), token: z.string(), expiresAtMs: z.number() });

export function siteCommand(): Command {
  const command = new Command('site').description('enrol, list and revoke sites');
  command.addCommand(enrolCommand());
  command.addCommand(listCommand());
  command.addCommand(revokeCommand());
  return command;
}

function enrolCommand(): Command {
  return withAccess(new Command('enrol'))
    .description('invite a site: prints a one-time token and the command to run at the site')
    .argument('<name>', 'name of the site: letters, digits, ".", "_" and "-"')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator site enrol hospital-a')
    .action(async (name: string, flags: Flags) => {
      const link = operatorLink(flags);
      const invitation = await link.post('/api/sites', invitationSchema, { name });
      const join = `site-agent join --coordinator ${link.url} --token ${invitation.token}`;
      if (flags.json === true) {
        printJson({ ...invitation, coordinator: link.url, join });
        return;
      }
      console.log(
        `Site ${name} is invited. Run this at the site before ${formatTime(invitation.expiresAtMs)} UTC; it works once:\n`,
      );
      console.log(`  ${join}`);
    });
}

function listCommand(): Command {
  return withAccess(new Command('list'))
    .description('list all sites')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator site list')
    .action(async (flags: Flags) => {
      const sites = await operatorLink(flags).get('/api/sites', z.array(siteViewSchema));
      if (flags.json === true) {
        printJson(sites);
        return;
      }
      if (sites.length === 0) console.log('No sites yet. Invite one with "coordinator site enrol NAME".');
      else {
        const rows = sites.map(({ name, state, connected, enrolledAtMs, lastSeenAtMs }) => [
          name,
          state,
          connected ? 'yes' : 'no',
          formatTime(enrolledAtMs),
          formatTime(lastSeenAtMs),
        ]);
        console.log(formatTable(['site', 'state', 'connected', 'enrolled (UTC)', 'last seen (UTC)'], rows));
      }
    });
}

function revokeCommand(): Command {
  return withAccess(new Command('revoke'))
    .description("end a site's access at once")
    .argument('<name>', 'name of the site')
    .option('--json', 'print the site as JSON')
    .addHelpText('after', '\nExample:\n  coordinator site revoke hospital-a')
    .action(async (name: string, flags: Flags) => {
      const view = await operatorLink(flags).post(`/api/sites/${encodeURIComponent(name)}/revoke`, siteViewSchema);
      if (flags.json === true) printJson(view);
      else console.log(`Site ${name} is revoked; its connection is closed. To let it back: coordinator site enrol ${name}`);
    });
}
