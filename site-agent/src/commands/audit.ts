import { resolve } from 'node:path';
import { Command } from 'commander';
import { FederationError, shortDigest } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import {
  AUDIT_COLUMNS,
  auditEntriesIn,
  type AuditEntry,
  auditRow,
  csvLine,
  followAudit,
  headsNotedIn,
} from '@consilium/shared/wire';
import { writeFileWhole } from '@consilium/shared/weights';
import { siteFolder } from '../config/site-folder.js';

interface AuditOptions {
  readonly home: string;
  readonly json?: boolean;
}

/** `site-agent audit`: what was asked of this site and what has left it. */
export function auditCommand(): Command {
  return new Command('audit')
    .description('what was asked of this site and what has left it: show, check and export its log')
    .addCommand(showCommand())
    .addCommand(verifyCommand())
    .addCommand(exportCommand());
}

function showCommand(): Command {
  return new Command('show')
    .description('print the newest entries')
    .option('--last <number>', 'how many', '20')
    .option('--json', 'print as JSON')
    .action(async (_options: unknown, command: Command) => {
      const { home, last, json } = command.optsWithGlobals<AuditOptions & { last: string }>();
      if (!/^[1-9]\d{0,6}$/.test(last)) throw new FederationError('ARGUMENT_INVALID', `--last ${last} is no number from 1 on`);
      const entries: AuditEntry[] = [];
      for await (const entry of auditEntriesIn(siteFolder(home).auditFile)) {
        entries.push(entry);
        if (entries.length > Number(last)) entries.shift();
      }
      if (json === true) console.log(JSON.stringify(entries, null, 2));
      else console.log(entries.length === 0 ? 'Nothing yet.' : formatTable(AUDIT_COLUMNS, entries.map(shortRow)));
    });
}

function verifyCommand(): Command {
  return new Command('verify')
    .description('follow the log from its first entry on; an altered, added or missing entry is named')
    .argument('[file]', 'a copy or an export (JSON lines); the log in the site’s folder when left out')
    .option('--head <digest>', 'digest of an entry that was noted earlier: it must still be in the log')
    .option('--against <file>', 'export of the coordinator’s audit log: what it noted of this log must still be in it')
    .option('--site <name>', 'whose entries of that export count; the name in this log when left out')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Each entry names the one before it by digest. The site tells the newest one to the coordinator with each update that it offers, and the
coordinator writes it into its own log: --against holds this log against what is written there.

Examples:
  site-agent audit verify copy-of-audit.jsonl
  site-agent --home my-site audit verify --against coordinator-audit.jsonl`,
    )
    .action(async (file: string | undefined, _options: unknown, command: Command) =>
      verify(file, command.optsWithGlobals<VerifyOptions>()),
    );
}

interface VerifyOptions extends AuditOptions {
  readonly head?: string;
  readonly against?: string;
  readonly site?: string;
}

async function verify(file: string | undefined, { home, head, against, site, json }: VerifyOptions): Promise<void> {
  const log = file ?? siteFolder(home).auditFile;
  const noted =
    against === undefined ? undefined : await headsNotedIn(against, 'site', `site:${site ?? (await siteNamedIn(log))}`);
  const { seq, digest } = await followAudit(auditEntriesIn(log), { head, noted });
  const heads = noted === undefined ? {} : { notedHeads: noted.length };
  if (json === true) return console.log(JSON.stringify({ entries: seq, head: digest, ...heads }, null, 2));
  console.log(`${seq} entries, each as it was written\nhead  ${digest}`);
  if (noted !== undefined) console.log(`all ${noted.length} heads that the other log notes are in this one`);
}

/** As whom the site took part last. */
async function siteNamedIn(log: string): Promise<string> {
  let name: string | undefined;
  for await (const { kind, subject } of auditEntriesIn(log)) {
    if (kind === 'identity' && typeof subject['site'] === 'string') name = subject['site'];
  }
  if (name !== undefined) return name;
  throw new FederationError('ARGUMENT_INVALID', 'this log does not tell as whom the site took part', {
    remedy: 'Name the site with --site, as the coordinator calls it.',
  });
}

function exportCommand(): Command {
  return new Command('export')
    .description('write the whole log to a file, checked while it is read')
    .option('--csv <file>', 'file to write as a table')
    .option('--json <file>', 'file to write as JSON lines, which "audit verify" reads')
    .action(async (_options: unknown, command: Command) => {
      const { home, csv, json } = command.optsWithGlobals<{ home: string; csv?: string; json?: string }>();
      const output = csv ?? json;
      if (output === undefined || (csv !== undefined && json !== undefined)) {
        throw new FederationError('ARGUMENT_INVALID', 'which file to write is not said', {
          remedy: 'Give --csv FILE or --json FILE.',
        });
      }
      const lines: string[] = csv === undefined ? [] : [csvLine(AUDIT_COLUMNS)];
      const kept = async function* (): AsyncGenerator<AuditEntry> {
        for await (const entry of auditEntriesIn(siteFolder(home).auditFile)) {
          lines.push(csv === undefined ? JSON.stringify(entry) : csvLine(auditRow(entry)));
          yield entry;
        }
      };
      const { seq, digest } = await followAudit(kept());
      await writeFileWhole(resolve(output), [Buffer.from(lines.map((line) => `${line}\n`).join(''))]);
      console.log(`${seq} entries (head ${digest}) are in ${output}`);
    });
}

/** The row for a terminal. */
function shortRow(entry: AuditEntry): string[] {
  const [seq = '', time = '', , kind = '', of = ''] = auditRow(entry);
  return [seq, time.slice(0, 19).replace('T', ' '), entry.actor, kind, of, shortDigest(entry.digest)];
}
