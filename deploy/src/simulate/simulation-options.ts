import { parseArgs, type ParseArgsConfig } from 'node:util';
import { FederationError, parseDurationMs } from '@consilium/shared/kernel';
import { LOG_LEVELS, type LogLevel } from '@consilium/shared/terminal';
import { NUMBER_FORMATS, type NumberFormat } from '@consilium/shared/wire';

export const HELP = `npm run simulate -- [options]

A real coordinator and many sites on this computer: real agents, journals, links and transfers, but numbers in place of
training, so that hundreds of sites fit. For trying out quorum, grace, recipes and bad links before hospitals meet them.

  --sites N            sites (default 50), called site-0000 and so on
  --rounds N           rounds (default 20)
  --parameters N       federated parameters of the model, such as 75k or 1M: the smallest model with as many (default 75k)
  --quorum N           updates that a round needs (default four fifths of the sites)
  --grace DURATION     how long a round waits for the others after that (default 2s)
  --recipe NAME        fedavg (default) or another of the coordinator's recipes
  --format FORMAT      of the updates: f32 (default), f16, bf16 or int8
  --training DURATION  how long a site of ordinary speed trains in a round, give or take half (default 200ms)
  --slow SHARE         share of the sites that train 20 times slower, such as 0.1
  --failures SHARE     share of the trainings that fail
  --seed N             of all that is drawn by lot (default 1)

  --trace FILE         a YAML or JSON list of disturbances to replay:
                         - { site: site-0003, fromSeconds: 2, untilSeconds: 8, kind: cut }
                       kind is slow (with a factor), cut, silent or kill
  --record FILE        writes what befell the sites as such a list
  --json FILE          writes the summary as JSON
  --keep               leaves the folder of the simulation and prints its name
  --log-level LEVEL    of the sites' log in that folder: debug, info (default), warn or error
  --help               this text

Examples:
  npm run simulate -- --sites 50 --rounds 20
  npm run simulate -- --sites 20 --slow 0.2 --grace 1s --record trace.yaml
  npm run simulate -- --sites 20 --trace trace.yaml --quorum 20 --grace 10min`;

export interface SimulationOptions {
  readonly sites: number;
  readonly rounds: number;
  readonly parameters: number;
  readonly quorum: number;
  readonly grace: string;
  readonly recipe: string;
  readonly format: NumberFormat;
  readonly trainingMs: number;
  readonly slowShare: number;
  readonly failureShare: number;
  readonly seed: number;
  readonly traceFile: string | undefined;
  readonly recordFile: string | undefined;
  readonly jsonFile: string | undefined;
  readonly keep: boolean;
  readonly logLevel: LogLevel;
}

const TEXT = { type: 'string' } as const;
const FLAG = { type: 'boolean' } as const;
const DEFINED = {
  sites: TEXT,
  rounds: TEXT,
  parameters: TEXT,
  quorum: TEXT,
  grace: TEXT,
  recipe: TEXT,
  format: TEXT,
  training: TEXT,
  slow: TEXT,
  failures: TEXT,
  seed: TEXT,
  trace: TEXT,
  record: TEXT,
  json: TEXT,
  keep: FLAG,
  'log-level': TEXT,
  help: { type: 'boolean', short: 'h' },
} satisfies ParseArgsConfig['options'];

/** Names of 5 digits would no longer sort like numbers. */
const MOST_SITES = 10_000;
const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6 };

/** Undefined when only help is wanted. Throws ARGUMENT_INVALID. */
export function readSimulationOptions(args: readonly string[]): SimulationOptions | undefined {
  const values = parseArguments(args);
  if (values.help === true) return undefined;
  const sites = count('sites', values.sites ?? '50', MOST_SITES);
  const quorum = values.quorum === undefined ? Math.ceil(0.8 * sites) : count('quorum', values.quorum, sites);
  return {
    sites,
    quorum,
    rounds: count('rounds', values.rounds ?? '20', 100_000),
    parameters: count('parameters', values.parameters ?? '75k', 1e9),
    grace: values.grace ?? '2s',
    recipe: values.recipe ?? 'fedavg',
    format: choice('format', NUMBER_FORMATS, values.format ?? 'f32'),
    trainingMs: duration('training', values.training ?? '200ms'),
    slowShare: share('slow', values.slow ?? '0'),
    failureShare: share('failures', values.failures ?? '0'),
    seed: count('seed', values.seed ?? '1', 2 ** 31),
    traceFile: values.trace,
    recordFile: values.record,
    jsonFile: values.json,
    keep: values.keep === true,
    logLevel: choice('log-level', LOG_LEVELS, values['log-level'] ?? 'info'),
  };
}

function parseArguments(args: readonly string[]) {
  try {
    return parseArgs({ args: [...args], options: DEFINED }).values;
  } catch (cause) {
    throw refused(cause instanceof Error ? (cause.message.split('.')[0] ?? '') : String(cause));
  }
}

/** Whole numbers from 1, also as 250k or 1M. */
function count(name: string, text: string, most: number): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([kM]?)$/.exec(text) ?? [];
  const value = digits === '' ? Number.NaN : Number(digits) * (UNITS[unit] ?? 1);
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw refused(`--${name} needs a whole number from 1 to ${most}, not "${text}"`);
}

function share(name: string, text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1) return value;
  throw refused(`--${name} needs a share from 0 to 1, not "${text}"`);
}

function duration(name: string, text: string): number {
  if (text === '0') return 0;
  try {
    return parseDurationMs(text);
  } catch {
    throw refused(`--${name} needs a duration such as 200ms or 2s, not "${text}"`);
  }
}

function choice<T extends string>(name: string, choices: readonly T[], text: string): T {
  const found = choices.find((known) => known === text);
  if (found !== undefined) return found;
  throw refused(`--${name} is one of ${choices.join(', ')}, not "${text}"`);
}

function refused(text: string): FederationError {
  return new FederationError('ARGUMENT_INVALID', text, { remedy: 'See: npm run simulate -- --help' });
}
