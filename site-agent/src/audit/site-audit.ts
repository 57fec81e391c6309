import { type Clock, digestOfJson } from '@consilium/shared/kernel';
import { AUDIT_BEGINNING, auditDigest, type AuditEntry, type AuditHead, type AuditSubject } from '@consilium/shared/wire';

/** What the site's audit log tells of. */
export const SITE_AUDIT_KINDS = [
  'log-repaired',
  'identity',
  'policy',
  'credential-refused',
  'invited',
  'accepted',
  'declined',
  'failed',
  'egress',
  'egress-refused',
  'update-offered',
  'update-delivered',
  'score-reported',
  'round-over',
] as const;
export type SiteAuditKind = (typeof SITE_AUDIT_KINDS)[number];

/** Where the lines go. */
export interface AuditStorage {
  /** Adds one line, whole; it survives the end of the process, though not yet a power cut. */
  append(line: string): void;
  /** All lines are on disk when it returns. */
  flush(): void;
}

/**
 * What a repeated entry is recognised by: the round, the version or the thing that it is about. A round that is tried once more
 * comes under the same topic, with a new invitation before everything else.
 */
function topicOf(kind: string, { campaign, round, version }: AuditSubject): string {
  // After a refusal the site is told anew as whom it takes part, and a second refusal is another one.
  if (campaign === undefined) return kind === 'credential-refused' ? 'identity' : kind;
  return typeof round === 'number' ? `${String(campaign)} round ${round}` : `${String(campaign)} version ${String(version)}`;
}

/**
 * The site's own append-only log: every entry names the one before it by digest. It holds names of campaigns, numbers, codes and
 * digests; never a path, a file name or anything of a patient. Nothing random enters: the identifiers that a coordinator draws are
 * left out, so that the same history gives the same log.
 */
export class SiteAudit {
  private last: AuditHead | undefined;
  private isFlushed = true;
  /** The newest entry of each topic: its kind, and the digest of what it is about. */
  private readonly newest = new Map<string, string>();

  /** @param entries what the storage holds already, followed and found sound */
  constructor(
    private readonly storage: AuditStorage,
    private readonly clock: Clock,
    entries: Iterable<AuditEntry> = [],
  ) {
    for (const entry of entries) this.remember(entry);
  }

  /** The newest entry; undefined before the first one. */
  get head(): AuditHead | undefined {
    return this.last;
  }

  /**
   * Writes an entry, unless the newest one on the same topic is of this kind and about the same: what a crash repeats is noted
   * once. Call {@link SiteAudit.flush} before what it tells of leaves the site.
   */
  note(kind: SiteAuditKind, subject: AuditSubject): void {
    if (this.isNoted(kind, subject)) return;
    const { seq, digest: previous } = this.last ?? { seq: 0, digest: AUDIT_BEGINNING };
    const entry = { seq: seq + 1, atMs: this.clock.nowMs(), kind, actor: 'site', subject, previous };
    const whole: AuditEntry = { ...entry, digest: auditDigest(entry) };
    this.storage.append(JSON.stringify(whole));
    this.isFlushed = false;
    this.last = { seq: whole.seq, digest: whole.digest };
    this.newest.set(topicOf(kind, subject), keyOf(kind, subject));
  }

  /** True when the newest entry on the topic says just this, whatever came of it. */
  isNoted(kind: SiteAuditKind, subject: AuditSubject): boolean {
    return this.newest.get(topicOf(kind, subject)) === keyOf(kind, subject);
  }

  /** Returns when all entries are on disk. */
  flush(): void {
    if (this.isFlushed) return;
    this.storage.flush();
    this.isFlushed = true;
  }

  private remember({ seq, digest, kind, subject }: AuditEntry): void {
    this.last = { seq, digest };
    this.newest.set(topicOf(kind, subject), keyOf(kind, subject));
  }
}

/** Fields that tell what came of it: entries that differ in these alone are about the same. */
const OUTCOME_FIELDS: ReadonlySet<string> = new Set(['coordinatorSeq', 'coordinatorHead', 'rules', 'bytes']);

function keyOf(kind: string, subject: AuditSubject): string {
  return `${kind} ${digestOfJson(Object.fromEntries(Object.entries(subject).filter(([name]) => !OUTCOME_FIELDS.has(name))))}`;
}
