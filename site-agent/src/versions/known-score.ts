import { algorithmOf, type Digest, digestOfFile } from '@consilium/shared/kernel';
import type { AgentJournal } from '../agent/agent-journal.js';

/**
 * The digest under which the journal knows a file's content. A file may be the copy of a version elsewhere, so that its name says
 * nothing, and versions are named by either algorithm.
 */
export async function digestInJournal(path: string, journal: AgentJournal): Promise<Digest | undefined> {
  const known = new Set(journal.versions().map(({ digest }) => digest));
  for (const algorithm of new Set([...known].map(algorithmOf))) {
    const digest = await digestOfFile(path, algorithm);
    if (known.has(digest)) return digest;
  }
  return undefined;
}
