import { AUDIT_BEGINNING, auditDigest, type AuditEntry, auditFault } from './audit.js';

function log(entries: number): AuditEntry[] {
  const made: AuditEntry[] = [];
  for (let seq = 1; seq <= entries; seq++) {
    const previous = made.at(-1)?.digest ?? AUDIT_BEGINNING;
    const entry = { seq, atMs: 1000 * seq, kind: 'site-invited', actor: 'operator', subject: { site: `s${seq}` }, previous };
    made.push({ ...entry, digest: auditDigest(entry) });
  }
  return made;
}

describe('an audit log', () => {
  it('is sound as it was written', () => {
    expect(auditFault(log(5))).toBeUndefined();
    expect(auditFault([])).toBeUndefined();
  });

  it.each<[how: string, change: (entries: AuditEntry[]) => AuditEntry[], seq: number, what: RegExp]>([
    ['a word of an entry', (all) => all.with(2, { ...(all[2] as AuditEntry), actor: 'site:x' }), 3, /entry 3 was altered/],
    ['a time by a millisecond', (all) => all.with(4, { ...(all[4] as AuditEntry), atMs: 1 }), 5, /altered/],
    ['an entry that is gone', (all) => all.toSpliced(1, 1), 2, /entry 2 is missing: 3 stands/],
    ['the first one that is gone', (all) => all.slice(1), 1, /entry 1 is missing/],
    ['an entry that was put in', (all) => all.toSpliced(3, 0, all[0] as AuditEntry), 4, /entry 4 is missing/],
    [
      'an entry that was altered with its digest',
      (all) => {
        const changed = { ...(all[2] as AuditEntry), kind: 'site-revoked' };
        return all.with(2, { ...changed, digest: auditDigest(changed) });
      },
      4,
      /entry 4 does not follow on entry 3/,
    ],
  ])('shows %s, and which is the first', (_how, change, seq, what) => {
    expect(auditFault(change(log(6)))).toMatchObject({ seq, what: expect.stringMatching(what) as string });
  });
});
