import { Command } from 'commander';
import { explainAgentConfig } from '../config/agent-config.js';
import { formatTable } from '@consilium/shared/terminal';

/** `site-agent config explain`: each setting, its value and where that comes from. */
export function configCommand(): Command {
  const explain = new Command('explain')
    .description('print each setting with its value and where that comes from')
    .option('--json', 'print it as JSON')
    .action((_options: unknown, command: Command) => {
      const { home, json } = command.optsWithGlobals<{ home: string; json?: boolean }>();
      const settings = explainAgentConfig({ home });
      const rows = settings.map(({ name, value, origin, description }) => [name, value, origin, description]);
      console.log(json === true ? JSON.stringify(settings, null, 2) : formatTable(['setting', 'value', 'from', 'meaning'], rows));
    });
  return new Command('config').description('settings of this site agent').addCommand(explain);
}
