import { relative } from 'node:path';
import type { CampaignView, ProbeScore } from '@consilium/shared/wire';
import { formatDuration, shortDigest } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';

/** How one fine-tuned model did on the held-out cases. */
export interface FinetuneOutcome {
  /** Mean over cases and classes. */
  readonly meanDice: number;
  readonly dicePerCase: Readonly<Record<string, number>>;
  readonly trainingSeconds: number;
  readonly model: string;
}

/** The content of demo-output/summary.json: what happened, whatever the numbers are. */
export interface DemoSummary {
  readonly fast: boolean;
  readonly wallSeconds: number;
  readonly federation: {
    readonly campaign: string;
    readonly wallSeconds: number;
    /** Version 1, the seeded start, on each site's probe. */
    readonly start: { readonly versionDigest: string; readonly sites: Readonly<Record<string, SiteScore>> };
    readonly rounds: readonly RoundSummary[];
  };
  readonly finetuning: {
    readonly site: string;
    readonly labelledCases: number;
    readonly heldOutCases: number;
    readonly pretrained: FinetuneOutcome;
    readonly scratch: FinetuneOutcome;
  };
  readonly paths: {
    readonly masks: readonly string[];
    readonly exportedModel: string;
    readonly logs: string;
  };
  readonly machine: Readonly<Record<string, string | number>>;
  readonly notice: string;
}

interface SiteScore {
  readonly restorationError: number;
  readonly skill: number;
}

interface RoundSummary {
  readonly round: number;
  readonly seconds: number | null;
  readonly participants: readonly string[];
  readonly version: number | null;
  readonly versionDigest: string | null;
  /** The version that the round produced, on each site's frozen probe. */
  readonly sites: Readonly<Record<string, SiteScore & { readonly trainingLoss: number | null }>>;
}

export const NOTICE =
  'Research software, not a medical device. The numbers come from a few minutes of training on a handful of scans.';

/** The federation's part of the summary, read off the coordinator's view. */
export function summariseCampaign(campaign: CampaignView, wallSeconds: number): DemoSummary['federation'] {
  return {
    campaign: campaign.name,
    wallSeconds,
    start: { versionDigest: campaign.initialVersion.digest, sites: scoresBySite(campaign.initialVersion.scores) },
    rounds: campaign.roundViews.map((round) => ({
      round: round.number,
      seconds:
        round.startedAtMs === null || round.finishedAtMs === null
          ? null
          : Math.round((round.finishedAtMs - round.startedAtMs) / 100) / 10,
      participants: round.participations.filter(({ state }) => state === 'delivered').map(({ siteName }) => siteName),
      version: round.version?.number ?? null,
      versionDigest: round.version?.digest ?? null,
      sites: Object.fromEntries(
        Object.entries(scoresBySite(round.version?.scores ?? [])).map(([site, score]) => [
          site,
          { ...score, trainingLoss: round.participations.find(({ siteName }) => siteName === site)?.meanLoss ?? null },
        ]),
      ),
    })),
  };
}

type ScoreList = readonly { siteName: string; score: ProbeScore }[];

function scoresBySite(scores: ScoreList): Record<string, SiteScore> {
  return Object.fromEntries(
    scores.map(({ siteName, score: { restorationError, skill } }) => [siteName, { restorationError, skill }]),
  );
}

/** The closing words on the terminal: two tables, paths, what to try next. */
export function describeSummary(summary: DemoSummary, outputFolder: string): string {
  const output = shownPath(outputFolder);
  const sites = [...new Set(summary.federation.rounds.flatMap((round) => Object.keys(round.sites)))];
  const rounds = formatTable(
    ['round', 'seconds', 'version', ...sites.map((site) => `skill ${site}`)],
    summary.federation.rounds.map((round) => [
      round.round,
      round.seconds ?? '–',
      round.versionDigest === null ? '–' : shortDigest(round.versionDigest),
      ...sites.map((site) => round.sites[site]?.skill.toFixed(3) ?? '–'),
    ]),
  );
  const { finetuning } = summary;
  const dice = formatTable(
    ['hippocampus', `Dice on ${finetuning.heldOutCases} held-out cases`, 'training'],
    [
      [
        'from the federated model',
        finetuning.pretrained.meanDice.toFixed(3),
        formatDuration(1000 * finetuning.pretrained.trainingSeconds),
      ],
      ['from scratch', finetuning.scratch.meanDice.toFixed(3), formatDuration(1000 * finetuning.scratch.trainingSeconds)],
    ],
  );
  return [
    '',
    `Federated pretraining: ${summary.federation.rounds.length} rounds, three hospitals, no scan left its folder`,
    indent(rounds),
    '',
    `Fine-tuning at ${finetuning.site} with ${finetuning.labelledCases} labelled cases`,
    indent(dice),
    '',
    `  summary   ${output}/summary.json`,
    `  masks     ${output}/masks (${summary.paths.masks.length} files, open them with any NIfTI viewer)`,
    `  model     ${shownPath(summary.paths.exportedModel)} (safetensors, PyTorch names and layout)`,
    `  logs      ${shownPath(summary.paths.logs)}`,
    '',
    'Next',
    `  npx site-agent --home ${output}/hospital-a status       what a site knows`,
    `  npx coordinator campaign list --help                    operate a coordinator`,
    `  README.md, "First steps"                                your own folder, your own scans`,
    '',
    NOTICE,
  ].join('\n');
}

/** Relative where that is shorter to read and to copy: below the current folder. */
function shownPath(path: string): string {
  const shown = relative(process.cwd(), path);
  return shown.startsWith('..') ? path : shown || '.';
}

function indent(text: string): string {
  return text.replace(/^/gm, '  ');
}
