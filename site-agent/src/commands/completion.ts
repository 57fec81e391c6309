import { FederationError } from '@consilium/shared/kernel';
import { COMPLETED_SHELLS, completionScript } from '@consilium/shared/terminal';
import { Command } from 'commander';

/** @param program all commands, as they are when the script is asked for. */
export function completionCommand(program: Command): Command {
  return new Command('completion')
    .description('print a script with which your shell completes commands and options')
    .argument('<shell>', COMPLETED_SHELLS.join(' or '))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(site-agent completion bash)                                   in this terminal\n  site-agent completion bash >> ~/.bash_completion                       in all to come',
    )
    .action((text: string) => {
      const shell = COMPLETED_SHELLS.find((known) => known === text);
      if (shell === undefined)
        throw new FederationError('ARGUMENT_INVALID', `there is no script for ${text}`, {
          remedy: `Use ${COMPLETED_SHELLS.join(' or ')}.`,
        });
      process.stdout.write(completionScript(shell, program));
    });
}
