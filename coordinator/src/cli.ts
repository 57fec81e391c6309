import { describeError, FederationError } from '@consilium/shared/kernel';
import { onOutputClosed } from '@consilium/shared/terminal';
import { Command, CommanderError } from 'commander';
import { auditCommand } from './commands/audit.js';
import { backupCommand, restoreCommand } from './commands/backup.js';
import { campaignCommand } from './commands/campaign.js';
import { completionCommand } from './commands/completion.js';
import { configCommand } from './commands/config.js';
import { doctorCommand } from './commands/doctor.js';
import { keyCommand } from './commands/key.js';
import { modelCommand } from './commands/model.js';
import { operatorCommand } from './commands/operator.js';
import { retentionCommand } from './commands/retention.js';
import { signInCommand, signOutCommand, whoAmICommand } from './commands/sign-in.js';
import { siteCommand } from './commands/site.js';
import { startCommand } from './commands/start.js';
import { updateCommand } from './commands/update.js';
import { COORDINATOR_VERSION } from './config/coordinator-version.js';

/** Exit status of a command line that commander refuses: an input error, like all others that the operator corrects. */
const USAGE_EXIT_CODE = 2;

const program = new Command('coordinator')
  .description('The coordinator of a federation: it invites sites, runs campaigns and keeps the model versions.')
  .version(COORDINATOR_VERSION)
  .option('--verbose', 'print the stack of an unexpected error')
  .addHelpText(
    'after',
    `
First steps:
  coordinator start                                start it (stop with Ctrl-C)
  coordinator site enrol hospital-a                in a second terminal: invite a site
  coordinator campaign start campaign.yaml --follow`,
  );

for (const command of [
  ...[startCommand(), siteCommand(), campaignCommand(), updateCommand(), modelCommand()],
  ...[operatorCommand(), signInCommand(), signOutCommand(), whoAmICommand()],
  ...[auditCommand(), keyCommand(), retentionCommand(), backupCommand(), restoreCommand(), doctorCommand(), configCommand()],
])
  program.addCommand(command);
program.addCommand(completionCommand(program));
leaveExitToUs(program);

onOutputClosed(() => undefined); // work goes on unread
try {
  await program.parseAsync();
  process.exit(process.exitCode ?? 0);
} catch (thrown) {
  process.exit(report(thrown));
}

function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
  const error = FederationError.from(thrown);
  console.error(describeError(error));
  if (error.code === 'INVARIANT' && program.opts<{ verbose?: boolean }>().verbose === true && thrown instanceof Error)
    console.error(thrown.stack);
  return error.exitCode;
}

function leaveExitToUs(command: Command): void {
  command.exitOverride().showHelpAfterError('(add --help for the options)');
  for (const child of command.commands) leaveExitToUs(child);
}
