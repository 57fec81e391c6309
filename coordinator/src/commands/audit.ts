import { createReadStream, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { FederationError, shortDigest } from '@consilium/shared/kernel';
import { formatTable } from '@consilium/shared/terminal';
import { AuditChain, type AuditEntry, auditEntrySchema, auditPageSchema, parseWith } from '@consilium/shared/wire';
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
      else console.log(entries.length === 0 ? 'Nothing yet.' : formatTable(HEADERS, entries.map(shortRow)));
    });
}

function verifyCommand(): Command {
  return withAccess(new Command('verify'))
    .description('follow the log from its first entry on; an altered, added or missing entry is named')
    .argument('[file]', 'an export (JSON lines) to check instead of the running coordinator; needs no coordinator')
    .option('--head <digest>', 'digest of an entry that was noted earlier: it must still be in the log')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Each entry names the one before it by digest. Write down the head that this command prints, or send it to somebody: with --head it
proves later that nothing up to that entry was changed and that no end was cut off.

Example:
  coordinator audit verify --head sha256:0123…`,
    )
    .action(async (file: string | undefined, { head, json, ...flags }: Flags & { head?: string }) => {
      const entries = file === undefined ? entriesOf(operatorLink(flags)) : entriesIn(file);
      const { seq, digest } = await follow(entries, head);
      if (json === true) printJson({ entries: seq, head: digest });
      else console.log(`${seq} entries, each as it was written\nhead  ${digest}`);
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
      const lines: string[] = format === 'csv' ? [HEADERS.join(',')] : [];
      const kept = async function* (): AsyncGenerator<AuditEntry> {
        for await (const entry of entriesOf(operatorLink(flags))) {
          lines.push(format === 'csv' ? wholeRow(entry).map(quoted).join(',') : JSON.stringify(entry));
          yield entry;
        }
      };
      const { seq, digest } = await follow(kept(), undefined);
      await writeFileWhole(output, [Buffer.from(lines.map((line) => `${line}\n`).join(''))]);
      console.log(`${seq} entries (head ${digest}) are in ${output}`);
    });
}

/** Throws AUDIT_BROKEN naming the first entry that is not what it was. */
async function follow(entries: AsyncIterable<AuditEntry>, head: string | undefined): Promise<Pick<AuditEntry, 'seq' | 'digest'>> {
  const chain = new AuditChain();
  let isHeadThere = head === undefined;
  for await (const entry of entries) {
    const fault = chain.follow(entry);
    if (fault !== undefined) throw broken(fault.what, fault.seq);
    isHeadThere ||= entry.digest === head;
  }
  if (!isHeadThere)
    throw broken(`no entry has the digest ${head}: the log is not the one that it was noted from`, chain.ended.seq);
  return chain.ended;
}

function broken(what: string, seq: number): FederationError {
  return new FederationError('AUDIT_BROKEN', what, {
    details: { seq },
    remedy: 'Compare with an earlier export or backup, and find out who could write to the records.',
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

async function* entriesIn(file: string): AsyncGenerator<AuditEntry> {
  if (!existsSync(file)) throw new FederationError('NOT_FOUND', `there is no file ${file}`);
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      throw new FederationError('ARGUMENT_INVALID', `${file} holds a line that is no JSON`, {
        remedy: 'Name what "coordinator audit export" wrote as json.',
      });
    }
    yield parseWith(auditEntrySchema, value, 'ARGUMENT_INVALID', file);
  }
}

const HEADERS = ['entry', 'time', 'who', 'what', 'of', 'digest'];

function wholeRow({ seq, atMs, actor, kind, subject, digest }: AuditEntry): string[] {
  const of = Object.entries(subject).flatMap(([name, value]) => (value === null ? [] : [`${name} ${String(value)}`]));
  return [String(seq), new Date(atMs).toISOString(), actor, kind, of.join('; '), digest];
}

/** The same for a terminal. */
function shortRow(entry: AuditEntry): string[] {
  const [seq = '', time = '', actor = '', kind = '', of = ''] = wholeRow(entry);
  return [seq, time.slice(0, 19).replace('T', ' '), actor, kind, of, shortDigest(entry.digest)];
}

function quoted(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
