import { Command } from 'commander';
import { formatTable } from '@consilium/shared/terminal';
import { type PrivacySummary, summarisePrivacy } from '../agent/privacy-summary.js';
import { loadAgentConfig } from '../config/agent-config.js';
import { withSiteJournal } from './site-journal.js';

/** `site-agent privacy`: what this site's updates have spent of its privacy, and what its limits still allow. */
export function privacyCommand(): Command {
  return new Command('privacy')
    .description('show what this site’s updates have spent of its privacy (ε), and how many rounds its limits still allow')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Counted are updates of campaigns with update privacy, each one that may have left the site. The limits are privacyEpsilon,
privacyTotalEpsilon and privacyDelta in site.yaml. For rounds of campaigns without privacy no ε holds.

Example:
  site-agent --home my-site privacy --json`,
    )
    .action(async (_options: unknown, command: Command) => {
      const { home, json } = command.optsWithGlobals<{ home: string; json?: boolean }>();
      const { privacy } = loadAgentConfig({ home });
      const summary = await withSiteJournal(home, (journal) => summarisePrivacy(journal.privacy.records(), privacy));
      console.log(json === true ? JSON.stringify(summary, null, 2) : describe(summary).join('\n'));
    });
}

function describe({ delta, limits, campaigns, total }: PrivacySummary): string[] {
  if (campaigns.length === 0) return ['No update has left this site under a plan with privacy.', describeLimits(limits, delta)];
  const rows = campaigns.map(({ campaignName, form, noiseMultiplier, clipNorm, releases, epsilon, epsilonLeft, roundsLeft }) => [
    campaignName,
    form,
    String(noiseMultiplier),
    String(clipNorm),
    String(releases),
    format(epsilon),
    epsilonLeft === null ? '–' : format(epsilonLeft, Math.floor),
    roundsLeft === null ? '–' : String(roundsLeft),
  ]);
  const leftOfTotal = total.epsilonLeft === null ? '' : `, ${format(total.epsilonLeft, Math.floor)} left`;
  return [
    formatTable(['campaign', 'form', 'noise', 'clip norm', 'updates', 'ε', 'ε left', 'rounds left'], rows),
    `all campaigns: ε ${format(total.epsilon)} for ${total.releases} updates${leftOfTotal}`,
    describeLimits(limits, delta),
  ];
}

function describeLimits({ epsilon, totalEpsilon }: PrivacySummary['limits'], delta: number): string {
  const limitOf = (limit: number | null): string => (limit === null ? 'no limit' : `at most ${limit}`);
  return `δ ${delta}; limits of ε: a campaign ${limitOf(epsilon)}, all campaigns ${limitOf(totalEpsilon)}`;
}

/** What was spent is rounded up, what is left down. */
function format(epsilon: number, round: (value: number) => number = Math.ceil): string {
  return (round(epsilon * 1000) / 1000).toFixed(3);
}
