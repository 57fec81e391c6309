import { Command, CommanderError } from 'commander';
import { describeError, FederationError } from '@consilium/shared/kernel';
import { onOutputClosed } from '@consilium/shared/terminal';
import { configCommand } from './commands/config.js';
import { convertCommand } from './commands/convert.js';
import { doctorCommand } from './commands/doctor.js';
import { evaluateCommand } from './commands/evaluate.js';
import { exportCommand } from './commands/export.js';
import { finetuneCommand } from './commands/finetune.js';
import { forgetCommand } from './commands/forget.js';
import { indexCommand } from './commands/index.js';
import { joinCommand } from './commands/join.js';
import { modelCommand } from './commands/model.js';
import { predictCommand } from './commands/predict.js';
import { profileCommand } from './commands/profile.js';
import { startCommand } from './commands/start.js';
import { statusCommand } from './commands/status.js';
import { defaultHome } from './config/agent-config.js';
import { AGENT_VERSION } from './config/agent-version.js';

/** Exit status of a command line that commander refuses: an input error, like all others that the user corrects. */
const USAGE_EXIT_CODE = 2;

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
  site-agent --home my-site join --coordinator URL --token TOKEN  the operator gives you both
  site-agent --home my-site index /path/to/scans                  find the scans
  site-agent --home my-site start                                 take part (stop with Ctrl-C)
  site-agent --home my-site status                                look, from a second terminal`,
  );

const federation = [indexCommand(), forgetCommand(), joinCommand(), startCommand(), statusCommand(), modelCommand()];
const own = [finetuneCommand(), evaluateCommand(), predictCommand(), exportCommand()];
for (const command of [...federation, ...own, convertCommand(), doctorCommand(), profileCommand(), configCommand()])
  program.addCommand(command);
leaveExitToUs(program);

onOutputClosed(() => undefined); // work goes on unread
try {
  await program.parseAsync();
} catch (thrown) {
  process.exitCode = report(thrown);
}
// A command that has returned is finished, whatever idle connection may still be open.
process.exit();

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
