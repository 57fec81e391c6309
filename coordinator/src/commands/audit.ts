import { FederationError, shortDigest } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import {
  AUDIT_COLUMNS,
  auditEntriesIn,
  type AuditEntry,
  auditPageSchema,
  auditRow,
  csvLine,
  followAudit,
  headsNotedIn,
} from '@consilium/shared/wire';
import { writeFileWhole } from '@consilium/shared/weights';
import { Command } from 'commander';
import { operatorLink, printJson, withAccess } from './command-options.js';
import type { OperatorLink } from './operator-link.js';

interface Flags {
  readonly home?: string;
  readonly url?: string;
  readonly json?: boolean;
}

export function auditCommand(): Command {
  const command = new Command('audit').description('who did what: show, check and export the audit log');
  command.addCommand(showCommand());
  command.addCommand(verifyCommand());
  command.addCommand(exportCommand());
  return command;
}

function showCommand(): Command {
  return withAccess(new Command('show'))
    .description('print the newest entries')
    .option('--last <number>', 'how many', '20')
    .option('--json', 'print as JSON')
    .addHelpText('after', '\nExample:\n  coordinator audit show --last 50')
    .action(async ({ last, json, ...flags }: Flags & { last: string }) => {
      if (!/^[1-9]\d{0,6}$/.test(last)) throw new FederationError('ARGUMENT_INVALID', `--last ${last} is no number from 1 on`);
      const entries: AuditEntry[] = [];
      for await (const entry of entriesOf(operatorLink(flags))) {
        entries.push(entry);
        if (entries.length > Number(last)) entries.shift();
      }
      if (json === true) printJson(entries);
      else console.log(entries.length === 0 ? 'Nothing yet.' : formatTable(AUDIT_COLUMNS, entries.map(shortRow)));
    });
}

function verifyCommand(): Command {
  return withAccess(new Command('verify'))
    .description('follow the log from its first entry on; an altered, added or missing entry is named')
    .argument('[file]', 'an export (JSON lines) to check instead of the running coordinator; needs no coordinator')
    .option('--head <digest>', 'digest of an entry that was noted earlier: it must still be in the log')
    .option('--against <file>', 'export of a site’s audit log: what it noted of this log must still be in it')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Each entry names the one before it by digest. Write down the head that this command prints, or send it to somebody: with --head it
proves later that nothing up to that entry was changed and that no end was cut off. Sites note the head with each update that they
deliver: --against holds the log against what one of them noted.

Examples:
  coordinator audit verify --head sha256:0123…
  coordinator audit verify --against site-audit.jsonl`,
    )
    .action(async (file: string | undefined, { head, against, json, ...flags }: Flags & { head?: string; against?: string }) => {
      const noted = against === undefined ? undefined : await headsNotedIn(against, 'coordinator');
      const entries = file === undefined ? entriesOf(operatorLink(flags)) : auditEntriesIn(file);
      const { seq, digest } = await followAudit(entries, { head, noted });
      const heads = noted === undefined ? {} : { notedHeads: noted.length };
      if (json === true) printJson({ entries: seq, head: digest, ...heads });
      else {
        console.log(`${seq} entries, each as it was written\nhead  ${digest}`);
        if (noted !== undefined) console.log(`all ${noted.length} heads that the other log notes are in this one`);
      }
    });
}

function exportCommand(): Command {
  return withAccess(new Command('export'))
    .description('write the whole log to a file, checked while it is read')
    .requiredOption('--output <file>', 'file to write')
    .option('--format <format>', 'json (lines, which "audit verify" reads) or csv', 'json')
    .addHelpText('after', '\nExample:\n  coordinator audit export --format csv --output audit.csv')
    .action(async ({ output, format, ...flags }: Flags & { output: string; format: string }) => {
      if (format !== 'json' && format !== 'csv')
        throw new FederationError('ARGUMENT_INVALID', `--format ${format} is neither json nor csv`);
      const lines: string[] = format === 'csv' ? [csvLine(AUDIT_COLUMNS)] : [];
      const kept = async function* (): AsyncGenerator<AuditEntry> {
        for await (const entry of entriesOf(operatorLink(flags))) {
          lines.push(format === 'csv' ? csvLine(auditRow(entry)) : JSON.stringify(entry));
          yield entry;
        }
      };
      const { seq, digest } = await followAudit(kept());
      await writeFileWhole(output, [Buffer.from(lines.map((line) => `${line}\n`).join(''))]);
      console.log(`${seq} entries (head ${digest}) are in ${output}`);
    });
}

async function* entriesOf(link: OperatorLink): AsyncGenerator<AuditEntry> {
  for (let after = 0; ;) {
    const { entries } = await link.get(`/api/audit?after=${after}`, auditPageSchema);
    yield* entries;
    const last = entries.at(-1);
    if (last === undefined) return;
    after = last.seq;
  }
}

/** The row for a terminal. */
function shortRow(entry: AuditEntry): string[] {
  const [seq = '', time = '', actor = '', kind = '', of = ''] = auditRow(entry);
  return [seq, time.slice(0, 19).replace('T', ' '), actor, kind, of, shortDigest(entry.digest)];
}
