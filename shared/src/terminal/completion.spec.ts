import { spawnSync } from 'node:child_process';
import { type CommandTree, completionScript } from './completion.js';

function made(name: string, options: readonly string[], commands: readonly CommandTree[] = []): CommandTree {
  return { name: () => name, commands, options: options.map((long) => ({ long })) };
}

const program = made(
  'site-agent',
  ['--home'],
  [made('model', [], [made('list', ['--json']), made('pull', ['--output'])]), made('start', ['--threads'])],
);

/** What bash offers for the line, whose last word is being typed. */
function offered(line: string): string[] {
  const words = line.split(' ');
  const script = `${completionScript('bash', program)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}; _site_agent; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { status, stdout, stderr } = spawnSync('bash', ['-c', script], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.trim().split('\n');
}

describe('completionScript, in bash', () => {
  it('offers commands, theirs, and their options with those of the program', () => {
    expect(offered('site-agent ')).toEqual(['model', 'start', '--home', '--help']);
    expect(offered('site-agent st')).toEqual(['start']);
    expect(offered('site-agent model ')).toEqual(['list', 'pull', '--home', '--help']);
    expect(offered('site-agent model pull --')).toEqual(['--home', '--output', '--help']);
  });

  it('finds the command behind options and words of the user’s own', () => {
    expect(offered('site-agent --home /srv/site model li')).toEqual(['list']);
    expect(offered('site-agent model pull chest@12 --o')).toEqual(['--output']);
  });
});
