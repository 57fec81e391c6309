import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { required } from '@consilium/shared/kernel';
import { AUDIT_BEGINNING, auditDigest, type AuditEntry, type AuditSubject } from './audit.js';
import { auditEntriesIn, csvLine, followAudit, headsNotedIn } from './audit-export.js';
import { headNotedIn, noteOfHead } from './audit-heads.js';

/** A chain of entries with these subjects. */
function logOf(subjects: readonly AuditSubject[], actor = 'site'): AuditEntry[] {
  const entries: AuditEntry[] = [];
  for (const subject of subjects) {
    const entry = {
      seq: entries.length + 1,
      atMs: 1,
      kind: 'k',
      actor,
      subject,
      previous: entries.at(-1)?.digest ?? AUDIT_BEGINNING,
    };
    entries.push({ ...entry, digest: auditDigest(entry) });
  }
  return entries;
}

async function* each(entries: readonly AuditEntry[]): AsyncGenerator<AuditEntry> {
  yield* entries;
}

describe('two logs that note each other’s heads', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'heads-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const own = logOf([{ round: 1 }, { round: 2 }, { round: 3 }]);
  const write = (entries: readonly AuditEntry[]): string => {
    const file = join(folder, 'other.jsonl');
    writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
    return file;
  };

  it('agree when each has what the other noted, and tell the first head that is missing', async () => {
    const second = required(own[1], 'made above');
    const theirs = [...logOf([{ round: 1 }, { round: 2, ...noteOfHead('site', second) }], 'site:a')];
    const noted = await headsNotedIn(write(theirs), 'site', 'site:a');
    expect(noted).toEqual([{ seq: 2, digest: second.digest, notedIn: 2 }]);
    expect(await followAudit(each(own), { noted })).toEqual({ seq: 3, digest: own[2]?.digest });
    // Rewritten as a whole, it is a sound chain, but not the one that was noted.
    const rewritten = logOf([{ round: 1 }, { round: 9 }, { round: 3 }]);
    await expect(followAudit(each(rewritten), { noted })).rejects.toMatchObject({
      code: 'AUDIT_BROKEN',
      message: /entry 2 of the other log notes the head .* \(entry 2\), which this log does not contain/,
    });
    await expect(followAudit(each(own.slice(0, 1)), { noted })).rejects.toMatchObject({ code: 'AUDIT_BROKEN' });
  });

  it('count only the entries of the actor that is named', async () => {
    const theirs = logOf([noteOfHead('site', { seq: 7, digest: AUDIT_BEGINNING })], 'site:b');
    const file = write(theirs);
    expect(await headsNotedIn(file, 'site', 'site:a')).toEqual([]);
    expect(await headsNotedIn(file, 'site')).toHaveLength(1);
    expect(await headsNotedIn(file, 'coordinator')).toEqual([]);
  });

  it('are of no use when the other log is itself not what it was', async () => {
    const [first, second] = logOf([{ round: 1 }, { round: 2 }]) as [AuditEntry, AuditEntry];
    await expect(headsNotedIn(write([first, { ...second, actor: 'eve' }]), 'site')).rejects.toMatchObject({
      code: 'AUDIT_BROKEN',
    });
    const file = join(folder, 'words');
    writeFileSync(file, 'hello\n');
    await expect(auditEntriesIn(file).next()).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
    await expect(auditEntriesIn(join(folder, 'none')).next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are read from entries that hold both parts of one', () => {
    const digest = AUDIT_BEGINNING;
    expect(headNotedIn({ seq: 5, subject: noteOfHead('coordinator', { seq: 2, digest }) }, 'coordinator')).toEqual({
      seq: 2,
      digest,
      notedIn: 5,
    });
    expect(headNotedIn({ seq: 5, subject: { siteSeq: 2 } }, 'site')).toBeUndefined();
    expect(headNotedIn({ seq: 5, subject: { siteSeq: 2, siteHead: 'sha256:short' } }, 'site')).toBeUndefined();
  });

  it('are written as a table that other programs read', () => {
    expect(csvLine(['1', 'a "b", c', 'd\ne'])).toBe('1,"a ""b"", c","d\ne"');
  });
});
