import { auditFault } from '@consilium/shared/wire';
import { AuditRecord } from '../../../coordinator/src/audit/audit-record.entity.js';
import { atTheEnd, firstWrong } from './checker.js';

export const unbrokenAudit = atTheEnd(
  'the audit log is one chain, and tells of each version and each end of a site’s part exactly once',
  ({ rounds, versions, participations }, world) => {
    const entries = world.disk.records.rowsOf(AuditRecord).toSorted((a, b) => a.seq - b.seq);
    const fault = auditFault(entries);
    if (fault !== undefined) return fault.what;
    const told = (kind: string): number => entries.filter((entry) => entry.kind === kind).length;
    const counts: readonly (readonly [kind: string, expected: number])[] = [
      ['round-planned', rounds.length],
      ['round-finished', versions.filter(({ roundId }) => roundId !== null).length],
      ['part-failed', participations.filter(({ state }) => state === 'failed').length],
      ['part-late', participations.filter(({ state }) => state === 'late').length],
    ];
    return firstWrong(counts, ([kind, expected]) =>
      told(kind) === expected ? undefined : `${kind}: ${told(kind)} entries, and it happened ${expected} times`,
    );
  },
);
