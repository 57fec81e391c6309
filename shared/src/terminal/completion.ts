/** Scripts with which a shell completes commands and options, made from the commands themselves. */
import { FederationError } from '@consilium/shared/kernel';

export const COMPLETED_SHELLS = ['bash', 'zsh'] as const;
export type CompletedShell = (typeof COMPLETED_SHELLS)[number];

/** What is asked of a command; commander's are such. */
export interface CommandTree {
  name(): string;
  readonly commands: readonly CommandTree[];
  readonly options: readonly { readonly long?: string | undefined }[];
}

/** What the help of a program's completion command ends with. */
export function completionExamples(program: string): string {
  return `
Examples:
  source <(${program} completion bash)                   in this terminal
  ${program} completion bash >> ~/.bash_completion       in all to come`;
}

/** ARGUMENT_INVALID for a shell that there is no script for. */
export function completedShell(name: string): CompletedShell {
  const shell = COMPLETED_SHELLS.find((known) => known === name);
  if (shell !== undefined) return shell;
  throw new FederationError('ARGUMENT_INVALID', `there is no script for ${name}`, {
    remedy: `Use ${COMPLETED_SHELLS.join(' or ')}.`,
  });
}

/**
 * A script for the shell's start-up file. Where a command takes a file or a name of the user's own, the shell offers files, as it does
 * for any program.
 */
export function completionScript(shell: CompletedShell, program: CommandTree): string {
  const functionName = `_${program.name().replaceAll('-', '_')}`;
  const cases = pathsOf(program).map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`);
  const paths = pathsOf(program).flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]));
  const lines = [
    `# ${program.name()}, for ${shell}`,
    ...(shell === 'zsh' ? ['autoload -U +X compinit && compinit', 'autoload -U +X bashcompinit && bashcompinit'] : []),
    `${functionName}() {`,
    '  local current="${COMP_WORDS[COMP_CWORD]}" path="" words="" index word',
    '  for ((index = 1; index < COMP_CWORD; index++)); do',
    '    word="${path:+$path }${COMP_WORDS[index]}"',
    '    case "$word" in',
    `      ${paths.join('|')}) path="$word" ;;`,
    '    esac',
    '  done',
    '  case "$path" in',
    ...cases,
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '}',
    `complete -o default -F ${functionName} ${program.name()}`,
  ];
  return `${lines.join('\n')}\n`;
}

interface CompletedPath {
  /** Names of commands from the program on, without it. */
  readonly path: string;
  readonly words: readonly string[];
}

function pathsOf(command: CommandTree, above: readonly string[] = [], inherited: readonly string[] = []): CompletedPath[] {
  const options = [...new Set([...inherited, ...command.options.flatMap(({ long }) => long ?? [])])];
  const names = command.commands.map((child) => child.name());
  const here = { path: above.join(' '), words: [...names, ...options, '--help'] };
  return [here, ...command.commands.flatMap((child) => pathsOf(child, [...above, child.name()], options))];
}
