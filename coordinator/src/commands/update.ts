import { FederationError, formatBytes } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { UPDATE_STATES, type UpdateState, type UpdateView, updateViewSchema } from '@consilium/shared/wire';
import { Command } from 'commander';
import { z } from 'zod';
import { formatTime, operatorLink, printJson, withAccess } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

interface ListFlags extends Flags {
  readonly campaign?: string;
  readonly state?: string;
}

interface DecisionFlags extends Flags {
  readonly as?: string;
  readonly reason?: string;
}

export function updateCommand(): Command {
  const command = new Command('update').description('look at delivered updates, and decide about those that were held back');
  command.addCommand(listCommand());
  command.addCommand(showCommand());
  command.addCommand(decisionCommand('release', 'let an update that was held back count after all'));
  command.addCommand(decisionCommand('discard', 'never let an update count that was held back'));
  return command;
}

function listCommand(): Command {
  return withAccess(new Command('list'))
    .description('list delivered updates, newest first')
    .option('--campaign <name>', 'only those of this campaign (name or id)')
    .option('--state <state>', `only those in this state: ${UPDATE_STATES.join(', ')}`)
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator update list --campaign chest-pretraining --state quarantined')
    .action(async (flags: ListFlags) => {
      const views = await operatorLink(flags).get(listPath(flags), z.array(updateViewSchema));
      if (flags.json === true) printJson(views);
      else if (views.length === 0) console.log('No such updates.');
      else console.log(describeUpdates(views));
    });
}

function showCommand(): Command {
  return withAccess(new Command('show'))
    .description('show one update, and why it was held back')
    .argument('<id>', 'id of the update, as the list shows it')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator update show part_4f0c')
    .action(async (id: string, flags: Flags) => {
      const view = await operatorLink(flags).get(updatePath(id), updateViewSchema);
      if (flags.json === true) printJson(view);
      else for (const line of describeUpdate(view)) console.log(line);
    });
}

function decisionCommand(verb: 'release' | 'discard', description: string): Command {
  return withAccess(new Command(verb))
    .description(description)
    .argument('<id>', 'id of the update, as the list shows it')
    .option('--as <name>', 'who decides, where you are not signed in: kept with the update')
    .option('--reason <text>', 'why: kept with the update')
    .option('--json', 'print the update as JSON')
    .addHelpText('after', `\nExample:\n  coordinator update ${verb} part_4f0c --as dr-weber --reason "looked at its curves"`)
    .action(async (id: string, flags: DecisionFlags) => {
      const decision = { operator: flags.as, reason: flags.reason };
      const view = await operatorLink(flags).post(`${updatePath(id)}/${verb}`, updateViewSchema, decision);
      if (flags.json === true) printJson(view);
      else console.log(`The update of ${view.siteName} for round ${view.roundNumber} is ${view.state}${whereItCounts(view)}.`);
    });
}

function whereItCounts({ state, countsInRound }: UpdateView): string {
  if (state !== 'released') return '';
  return countsInRound === null ? ' and counts in the next round' : ` and counts in round ${countsInRound}`;
}

function describeUpdates(views: readonly UpdateView[]): string {
  const headers = ['id', 'campaign', 'round', 'site', 'state', 'code', 'counts in', 'patches', 'norm', 'rounding', 'size'];
  return formatTable(
    headers,
    views.map((view) => [
      view.participationId,
      view.campaignName,
      view.roundNumber,
      view.siteName,
      view.state,
      view.code ?? '',
      view.countsInRound === null ? '–' : `round ${view.countsInRound}`,
      view.patches,
      formatNumber(view.norm),
      formatNumber(view.encodingError),
      view.droppedAtMs === undefined ? formatBytes(view.bytes) : `${formatBytes(view.bytes)}, dropped`,
    ]),
  );
}

function describeUpdate(view: UpdateView): string[] {
  const lines: [string, string | null][] = [
    ['update', view.participationId],
    ['campaign', `${view.campaignName}, round ${view.roundNumber}, from version ${view.baseVersion}`],
    ['site', view.siteName],
    ['state', view.state + whereItCounts(view)],
    ['held back', view.code === null ? null : `${view.code}: ${view.reason ?? ''}`],
    ['decided', view.decidedBy === null ? null : `by ${view.decidedBy} at ${formatTime(view.decidedAtMs)} (UTC)`],
    ['because', view.decidedWhy],
    ['delivered', `${formatTime(view.acceptedAtMs)} (UTC)`],
    ['patches', String(view.patches)],
    ['norm', formatNumber(view.norm)],
    [
      'rounding',
      view.encodingError === null ? null : `${formatNumber(view.encodingError)} of the norm, lost to the number format`,
    ],
    ['size', formatBytes(view.bytes)],
    ['digest', view.digest],
    ['dropped', view.droppedAtMs === undefined ? null : `its bytes are not kept since ${formatTime(view.droppedAtMs)} (UTC)`],
  ];
  return lines.flatMap(([name, text]) => (text === null ? [] : [`${name.padEnd(10)} ${text}`]));
}

function formatNumber(value: number | null): string {
  return value === null ? '–' : String(Number(value.toPrecision(4)));
}

function listPath({ campaign, state }: ListFlags): string {
  const query = new URLSearchParams();
  if (campaign !== undefined) query.set('campaign', campaign);
  if (state !== undefined) query.set('state', requireState(state));
  return `/api/updates?${query.toString()}`;
}

function requireState(state: string): UpdateState {
  const known = UPDATE_STATES.find((name) => name === state);
  if (known !== undefined) return known;
  throw new FederationError('ARGUMENT_INVALID', `updates are never ${state}`, {
    remedy: `Use one of ${UPDATE_STATES.join(', ')}.`,
  });
}

function updatePath(id: string): string {
  return `/api/updates/${encodeURIComponent(id)}`;
}
