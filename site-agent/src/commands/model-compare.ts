import { Command } from 'commander';
import { formatTable } from '@consilium/shared/terminal';
import type { AgentJournal } from '../agent/agent-journal.js';
import { compareModels, type Comparison, type Distance } from '../versions/compare-models.js';
import { digestInJournal } from '../versions/known-score.js';
import { MODEL_NAMES, openModel } from './find-model.js';
import { withJournalIfAny } from './site-journal.js';

interface CompareOptions {
  readonly home: string;
  readonly json?: boolean;
}

/** `site-agent model compare A B`. */
export function compareCommand(): Command {
  return new Command('compare')
    .description('how far two models are apart, overall and layer by layer, with this site’s scores of both')
    .argument('<a>', MODEL_NAMES)
    .argument('<b>', 'another one')
    .option('--json', 'print it as JSON')
    .addHelpText('after', '\nExample:\n  site-agent model compare chest@1 chest@12')
    .action(async (a: string, b: string, _options: unknown, command: Command) => {
      await compare([a, b], command.optsWithGlobals<CompareOptions>());
    });
}

async function compare(names: readonly [string, string], { home, json }: CompareOptions): Promise<void> {
  const models = [await openModel(names[0], home), await openModel(names[1], home)] as const;
  const comparison = compareModels(...models);
  await withJournalIfAny(home, async (journal) => {
    const scores = await Promise.all(models.map(({ path }) => scoreHere(path, journal)));
    if (json === true) console.log(JSON.stringify({ ...comparison, scores: { a: scores[0], b: scores[1] } }, null, 2));
    else console.log(describe(comparison, names, scores));
  });
}

async function scoreHere(path: string, journal: AgentJournal | undefined) {
  if (journal === undefined) return null;
  const digest = await digestInJournal(path, journal);
  return (digest === undefined ? undefined : journal.scoreOfVersion(digest)) ?? null;
}

function describe(
  comparison: Comparison,
  names: readonly [string, string],
  scores: readonly ({ skill: number; restorationError: number } | null)[],
): string {
  const { sameArchitecture, sameWeights, overall, layers, unlike } = comparison;
  const rows = [{ layer: 'all', ...overall }, ...layers].map(({ layer, ...distance }) => [layer, ...describeDistance(distance)]);
  const align = [undefined, 'right', 'right', 'right'] as const;
  const [first] = unlike;
  return [
    `architecture  ${sameArchitecture ? 'the same' : 'different'}`,
    `weights       ${sameWeights ? 'the same' : 'different'}`,
    ...names.map((name, index) => `${name}  skill on this site’s probe: ${scores[index]?.skill.toFixed(3) ?? 'not scored here'}`),
    ...(first === undefined ? [] : [`not compared  ${unlike.length} parameters that only one of them has so, such as ${first}`]),
    '',
    formatTable(['layer', '|b − a|', 'of |a|', 'cosine'], rows, { align }),
  ].join('\n');
}

function describeDistance({ distance, relative, cosine }: Distance): string[] {
  return [distance.toPrecision(4), relative === null ? '–' : `${(100 * relative).toFixed(2)} %`, cosine?.toFixed(5) ?? '–'];
}
