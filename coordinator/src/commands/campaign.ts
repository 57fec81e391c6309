import { FederationError, isErrorCode } from '@consilium/shared/kernel';
import { type CampaignPlan, type CampaignView, campaignViewSchema } from '@consilium/shared/wire';
import { formatTable } from '@consilium/shared/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { campaignPrivacy } from '../campaigns/campaign-privacy.js';
import { readCampaignFile } from './campaign-file.js';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';
import { describeCampaign, followCampaign, formatEpsilon } from './follow-campaign.js';
import type { OperatorLink } from './operator-link.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
  readonly follow?: boolean;
}

export function campaignCommand(): Command {
  const command = new Command('campaign').description('check, start, watch and steer campaigns');
  command.addCommand(checkCommand());
  command.addCommand(startCommand());
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(followCommand());
  command.addCommand(steerCommand('pause', 'start no new round; one under way ends'));
  command.addCommand(steerCommand('resume', 'go on after a pause, or try a failed round once more'));
  command.addCommand(steerCommand('cancel', 'end the campaign; versions made so far stay'));
  return command;
}

function checkCommand(): Command {
  return new Command('check')
    .description('check a campaign file without starting it; needs no coordinator')
    .argument('<file>', 'campaign file (YAML or JSON)')
    .option('--json', 'print the campaign with every default filled in')
    .addHelpText('after', '\nExample:\n  coordinator campaign check campaign.yaml')
    .action((file: string, flags: Flags) => {
      const plan = readCampaignFile(file);
      if (flags.json === true) printJson(plan);
      else for (const line of describePlan(file, plan)) console.log(line);
    });
}

function describePlan(file: string, plan: CampaignPlan): string[] {
  const line = `${file} is valid: campaign ${plan.name}, ${plan.rounds} rounds of ${plan.training.steps} steps`;
  const privacy = campaignPrivacy(plan, [], []);
  if (privacy === undefined) return [line];
  const { form, delta, epsilonAtEnd } = privacy;
  return [
    line,
    `privacy: ${form} form, ε ${formatEpsilon(epsilonAtEnd)} at δ ${delta} for a site that takes part in every round`,
  ];
}

function startCommand(): Command {
  return withAccess(new Command('start'))
    .description('start a campaign from a file')
    .argument('<file>', 'campaign file (YAML or JSON)')
    .option('--follow', 'stay and print what happens until the campaign ends')
    .option('--json', 'print the campaign as JSON')
    .addHelpText('after', '\nExample:\n  coordinator campaign start campaign.yaml --follow')
    .action(async (file: string, flags: Flags) => {
      const plan = readCampaignFile(file);
      const link = operatorLink(flags);
      const view = await link.post('/api/campaigns', campaignViewSchema, plan);
      if (flags.follow === true) {
        await follow(link, view.name, flags.json === true);
        return;
      }
      if (flags.json === true) printJson(view);
      else console.log(`Campaign ${view.name} has started. Watch it with: coordinator campaign follow ${view.name}`);
    });
}

function listCommand(): Command {
  return withAccess(new Command('list'))
    .description('list all campaigns')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator campaign list')
    .action(async (flags: Flags) => {
      const views = await operatorLink(flags).get('/api/campaigns', z.array(campaignViewSchema));
      if (flags.json === true) {
        printJson(views);
        return;
      }
      if (views.length === 0) console.log('No campaigns yet. Start one with "coordinator campaign start FILE".');
      else {
        const rows = views.map(({ name, state, finishedRounds, rounds, version, createdAtMs }) => [
          name,
          state,
          `${finishedRounds}/${rounds}`,
          String(version.number),
          formatTime(createdAtMs),
        ]);
        console.log(formatTable(['campaign', 'state', 'rounds', 'version', 'started (UTC)'], rows));
      }
    });
}

function showCommand(): Command {
  return withAccess(new Command('show'))
    .description('show a campaign with its rounds')
    .argument('<name>', 'name or id of the campaign')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator campaign show chest-pretraining --json')
    .action(async (name: string, flags: Flags) => {
      const view = await operatorLink(flags).get(`/api/campaigns/${encodeURIComponent(name)}`, campaignViewSchema);
      printView(view, flags.json === true);
    });
}

function followCommand(): Command {
  return withAccess(new Command('follow'))
    .description('print what happens in a campaign until it ends')
    .argument('<name>', 'name or id of the campaign')
    .option('--json', 'print nothing but the campaign as JSON at its end')
    .addHelpText('after', '\nExample:\n  coordinator campaign follow chest-pretraining')
    .action(async (name: string, flags: Flags) => follow(operatorLink(flags), name, flags.json === true));
}

function steerCommand(verb: 'pause' | 'resume' | 'cancel', description: string): Command {
  return withAccess(new Command(verb))
    .description(description)
    .argument('<name>', 'name or id of the campaign')
    .option('--json', 'print the campaign as JSON')
    .addHelpText('after', `\nExample:\n  coordinator campaign ${verb} chest-pretraining`)
    .action(async (name: string, flags: Flags) => {
      const view = await operatorLink(flags).post(`/api/campaigns/${encodeURIComponent(name)}/${verb}`, campaignViewSchema);
      if (flags.json === true) printJson(view);
      else console.log(`Campaign ${view.name} is ${view.state}.`);
    });
}

/** Ends with the exit status of the campaign's code when it failed, so that scripts notice. */
async function follow(link: OperatorLink, name: string, asJson: boolean): Promise<void> {
  const view = await followCampaign(link, name, (line) => {
    if (!asJson) console.log(line);
  });
  printView(view, asJson);
  if (view.state !== 'failed') return;
  const code = isErrorCode(view.code) ? view.code : 'INVARIANT';
  throw new FederationError(code, `the campaign ${view.name} has failed`, {
    remedy: `See its rounds with "coordinator campaign show ${view.name}"; "coordinator campaign resume ${view.name}" tries again.`,
  });
}

function printView(view: CampaignView, asJson: boolean): void {
  if (asJson) printJson(view);
  else for (const line of describeCampaign(view)) console.log(line);
}
