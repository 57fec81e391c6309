import { type AuditEntry, auditEntrySchema, auditFault, HeadCheck, headNotedIn, type HeadOwner } from '@consilium/shared/wire';
import { AuditRecord } from '../../../coordinator/src/audit/audit-record.entity.js';
import type { Checker } from './checker.js';

/** A site's log is written before its acts, so it may know of offers that never arrived; never the other way round. */
export const headsAgree: Checker = {
  promise: 'every site’s audit log is one chain, and it and the coordinator’s contain what each noted of the other',
  watch: (world) => () => {
    const theirs = world.disk.records.rowsOf(AuditRecord).toSorted((a, b) => a.seq - b.seq);
    for (const { name } of world.plan.sites) {
      const own = world.siteDisk(name).audit.map((line) => auditEntrySchema.parse(JSON.parse(line)));
      const fault = auditFault(own);
      if (fault !== undefined) return `${name}: ${fault.what}`;
      const ofSite = theirs.filter(({ actor }) => actor === `site:${name}`);
      const wrong =
        missingHead(own, ofSite, 'site', `the log of ${name}`) ??
        missingHead(theirs, own, 'coordinator', 'the coordinator’s log');
      if (wrong !== undefined) return wrong;
      const accepted = ofSite.filter(({ kind }) => kind === 'update-accepted');
      const lacking = accepted.find((entry) => headNotedIn(entry, 'site') === undefined);
      if (lacking !== undefined) return `entry ${lacking.seq} takes an update of ${name} without noting a head`;
    }
    return undefined;
  },
};

function missingHead(
  log: readonly AuditEntry[],
  other: readonly AuditEntry[],
  owner: HeadOwner,
  name: string,
): string | undefined {
  const check = new HeadCheck(other.flatMap((entry) => headNotedIn(entry, owner) ?? []));
  for (const entry of log) check.see(entry);
  const missing = check.missing();
  return missing && `${name} lacks entry ${missing.seq} as entry ${missing.notedIn} of the other log notes it`;
}
