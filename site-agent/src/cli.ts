import { Command, CommanderError } from 'commander';
import { describeError, FederationError } from '@consilium/shared/kernel';
import { onOutputClosed } from '@consilium/shared/terminal';
import { completionCommand } from './commands/completion.js';
import { defaultHome } from './config/default-home.js';
import { AGENT_VERSION } from './config/agent-version.js';

/** Exit status of a command line that commander refuses: an input error, like all others that the user corrects. */
const USAGE_EXIT_CODE = 2;

/** In the order of the help. Loaded when they are named: `index` on an unchanged collection is over in a blink. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  index: async () => (await import('./commands/index.js')).indexCommand(),
  forget: async () => (await import('./commands/forget.js')).forgetCommand(),
  preprocess: async () => (await import('./commands/preprocess.js')).preprocessCommand(),
  join: async () => (await import('./commands/join.js')).joinCommand(),
  key: async () => (await import('./commands/key.js')).keyCommand(),
  start: async () => (await import('./commands/start.js')).startCommand(),
  status: async () => (await import('./commands/status.js')).statusCommand(),
  privacy: async () => (await import('./commands/privacy.js')).privacyCommand(),
  pretrain: async () => (await import('./commands/pretrain.js')).pretrainCommand(),
  model: async () => (await import('./commands/model.js')).modelCommand(),
  'pretrain-labelled': async () => (await import('./commands/pretrain-labelled.js')).pretrainLabelledCommand(),
  finetune: async () => (await import('./commands/finetune.js')).finetuneCommand(),
  evaluate: async () => (await import('./commands/evaluate.js')).evaluateCommand(),
  predict: async () => (await import('./commands/predict.js')).predictCommand(),
  import: async () => (await import('./commands/import.js')).importCommand(),
  export: async () => (await import('./commands/export.js')).exportCommand(),
  convert: async () => (await import('./commands/convert.js')).convertCommand(),
  doctor: async () => (await import('./commands/doctor.js')).doctorCommand(),
  profile: async () => (await import('./commands/profile.js')).profileCommand(),
  policy: async () => (await import('./commands/policy.js')).policyCommand(),
  audit: async () => (await import('./commands/audit.js')).auditCommand(),
  config: async () => (await import('./commands/config.js')).configCommand(),
};

const program = new Command('site-agent')
  .description(
    'The hospital’s side of a federation: it trains on the site’s own scans, and fine-tunes the result. Scans never leave.',
  )
  .version(AGENT_VERSION)
  .option('--home <folder>', 'the site’s folder (environment: CONSILIUM_SITE_HOME)', defaultHome())
  .option('--verbose', 'print the stack of an unexpected error')
  .addHelpText(
    'after',
    `
First steps:
  site-agent doctor                                               what this computer offers
  site-agent --home my-site join --coordinator URL                asks for the token that the operator gave you
  site-agent --home my-site index /path/to/scans                  find the scans
  site-agent --home my-site start                                 take part (stop with Ctrl-C)
  site-agent --home my-site status                                look, from a second terminal`,
  );

for (const command of await commandsFor(process.argv.slice(2))) program.addCommand(command);
program.addCommand(completionCommand(program));
leaveExitToUs(program);

onOutputClosed(() => undefined); // work goes on unread
try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = report(thrown);
}
// A command that has returned is finished, whatever idle connection may still be open.
process.exit();

/** The command that the line names; all of them for help, and for words that are no command. */
async function commandsFor(words: readonly string[]): Promise<Command[]> {
  const name = words.find((word, position) => !word.startsWith('-') && words[position - 1] !== '--home') ?? '';
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  return Promise.all(load === undefined ? Object.values(COMMANDS).map((loadOne) => loadOne()) : [load()]);
}

function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  const error = FederationError.from(thrown);
  console.error(describeError(error));
  const verbose = program.opts<{ verbose?: boolean }>().verbose === true;
  if (verbose && thrown instanceof Error) console.error(thrown.stack);
  else if (error.code === 'INVARIANT') console.error('  This is a bug of ours; add --verbose to see where, and report it.');
  return error.exitCode;
}

function leaveExitToUs(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help for the options)');
  for (const child of command.commands) leaveExitToUs(child);
}
