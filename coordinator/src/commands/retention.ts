import { formatBytes } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import {
  type RetainedAmount,
  type RetentionAnswer,
  retentionAnswerSchema,
  type RetentionRulesView,
  type RetentionView,
  retentionViewSchema,
} from '@consilium/shared/wire';
import { Command } from 'commander';
import { operatorLink, printJson, withAccess } from './command-options.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

export function retentionCommand(): Command {
  const command = new Command('retention').description(
    'how long bytes of updates and versions are kept: see it, and apply it now',
  );
  command.addCommand(showCommand());
  command.addCommand(applyCommand());
  return command;
}

function showCommand(): Command {
  return withAccess(new Command('show'))
    .description('print the rules, and per campaign what is there, what would go now, and what is gone')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
The rules are settings of coordinator.yaml (retainUpdates, retainUpdateRounds, retainHeldBack, retainVersions, retainVersionEvery).
They drop bytes alone: records, digests, passports and the audit log stay.

Example:
  coordinator retention show`,
    )
    .action(async (flags: Flags) => {
      const view = await operatorLink(flags).get('/api/retention', retentionViewSchema);
      if (flags.json === true) printJson(view);
      else for (const line of describeView(view)) console.log(line);
    });
}

function applyCommand(): Command {
  return withAccess(new Command('apply'))
    .description('apply the rules now; the coordinator does so by itself at its start, daily and after each round')
    .option('--dry-run', 'only say what would go')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator retention apply --dry-run')
    .action(async ({ dryRun = false, json, ...flags }: Flags) => {
      const answer = await operatorLink(flags).post('/api/retention/apply', retentionAnswerSchema, { dryRun });
      if (json === true) printJson(answer);
      else for (const line of describeAnswer(answer)) console.log(line);
    });
}

function describeView({ rules, shelves, filesToRemove }: RetentionView): string[] {
  const rows = shelves
    .filter(({ held, dropped }) => held.count + dropped.count > 0)
    .map(({ campaignName, kind, held, going, dropped }) => [campaignName, kind, told(held), told(going), told(dropped)]);
  return [
    ...describeRules(rules),
    ...(rows.length === 0 ? ['Nothing is there yet.'] : [formatTable(['campaign', 'kind', 'held', 'would go', 'dropped'], rows)]),
    ...(filesToRemove === 0 ? [] : [`${filesToRemove} files are still to be removed: the next application tries again.`]),
  ];
}

function describeRules({ updates, updateRounds, heldBack, versions, versionEvery }: RetentionRulesView): string[] {
  const all = (text: string | number, otherwise: string): string => (text === 'all' ? 'all, for ever' : otherwise);
  const besides = versionEvery === 0 ? '' : `, and that of every round divisible by ${versionEvery}`;
  return [
    `updates    ${all(updates, `${updates} after their round; those of the newest ${updateRounds} rounds in any case`)}`,
    `held back  ${all(heldBack, `${heldBack} after their round or the decision about them`)}`,
    `versions   ${all(versions, `the newest ${versions} of each campaign${besides}, and pinned ones`)}`,
  ];
}

function describeAnswer({ dryRun, dropped, filesRemoved }: RetentionAnswer): string[] {
  if (dropped.length === 0 && filesRemoved === 0) return [dryRun ? 'Nothing would go.' : 'Nothing was to go.'];
  const rows = dropped.map(({ campaignName, kind, ...amount }) => [campaignName, kind, told(amount)]);
  return [
    ...(rows.length === 0 ? [] : [formatTable(['campaign', 'kind', dryRun ? 'would go' : 'dropped'], rows)]),
    ...(dryRun ? [] : [`${filesRemoved} files were removed; the records stay.`]),
  ];
}

function told({ count, bytes }: RetainedAmount): string {
  return count === 0 ? '–' : `${count} (${formatBytes(bytes)})`;
}
