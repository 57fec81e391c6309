import { COMPLETED_SHELLS, completedShell, completionExamples, completionScript } from '@consilium/shared/terminal';
import { Command } from 'commander';

/** @param program all commands, as they are when the script is asked for. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('print a script with which your shell completes commands and options')
    .argument('<shell>', COMPLETED_SHELLS.join(' or '))
    .addHelpText('after', completionExamples(program.name()))
    .action((shell: string) => void process.stdout.write(completionScript(completedShell(shell), program)));
}
