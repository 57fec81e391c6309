import type { Digest } from '@consilium/shared/kernel';
import type { RoundPlan } from '@consilium/shared/wire';
import type { AgentJournal } from './agent-journal.js';
import type { SiteFiles } from './site-files.js';

/** Model versions kept per campaign: the newest ones, for fine-tuning. */
const KEPT_VERSIONS = 5;

/**
 * Gives disk space back: folders of rounds that are over (a kill may have come before their removal) and versions that newer ones
 * of the same campaign have replaced, unless a human pinned them. Files it does not know are left alone.
 */
export async function sweepFolders(files: SiteFiles, journal: AgentJournal): Promise<void> {
  const open = journal.openParticipation();
  for (const participationId of await files.rounds()) {
    if (participationId !== open?.participationId) await files.dropRound(participationId);
  }
  const kept = new Map<string, number>();
  // The parent of a base too: until the base is here, it may yet be made of it.
  const digestsInUse = new Set<Digest>(open === undefined ? [] : [open.plan.base.digest, ...parentOf(open.plan)]);
  for (const { digest } of journal.pins()) digestsInUse.add(digest);
  const replaced: Digest[] = [];
  for (const { campaignName, digest } of journal.versions()) {
    const count = (kept.get(campaignName) ?? 0) + 1;
    kept.set(campaignName, count);
    if (count <= KEPT_VERSIONS) digestsInUse.add(digest);
    else replaced.push(digest);
  }
  for (const digest of replaced.filter((candidate) => !digestsInUse.has(candidate))) {
    await files.dropVersion(digest);
    journal.forgetVersion(digest);
  }
}

function parentOf({ baseDelta }: RoundPlan): Digest[] {
  return baseDelta === undefined ? [] : [baseDelta.parent];
}
