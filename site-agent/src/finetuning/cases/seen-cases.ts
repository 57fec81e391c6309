/** Cases that a model has seen: scoring it on them says nothing about new patients. */
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { type Digest, FederationError } from '@consilium/shared/kernel';
import type { CaseFiles } from '../tasks/finetune-case.js';
import { finetuneFolder } from '../tasks/finetune-folder.js';
import { readFinetuneTask } from '../tasks/task-file.js';
import { digestOfImage } from './load-cases.js';

/**
 * The names of those that trained or validated the model, by the task file beside it: the same file or a copy of it. Names of patients
 * are each task's own and tell nothing here. None when there is no such file, or its cases are no longer there.
 */
export async function seenCases(modelPath: string, cases: readonly CaseFiles[]): Promise<readonly string[]> {
  const own = ownCases(modelPath);
  const paths = new Set(own.map(({ image }) => resolve(image)));
  const copies = new CopyFinder(own);
  const seen: string[] = [];
  for (const entry of cases) if (paths.has(resolve(entry.image)) || (await copies.has(entry))) seen.push(entry.name);
  return seen;
}

function ownCases(modelPath: string): readonly CaseFiles[] {
  try {
    const { cases } = readFinetuneTask(finetuneFolder(dirname(modelPath)).taskFile, 'scoring');
    return [...cases.train, ...cases.validation];
  } catch (thrown) {
    if (thrown instanceof FederationError) return []; // no task, or one whose files are elsewhere by now
    throw thrown;
  }
}

/** Compares the bytes of files of equal size; a scan of many files counts by its path alone. */
class CopyFinder {
  private readonly bySize = new Map<number, CaseFiles[]>();
  private readonly digests = new Map<string, Digest | null>();

  constructor(known: readonly CaseFiles[]) {
    for (const entry of known) {
      const size = sizeOf(entry);
      if (size !== undefined) this.bySize.set(size, [...(this.bySize.get(size) ?? []), entry]);
    }
  }

  async has(entry: CaseFiles): Promise<boolean> {
    const alike = this.bySize.get(sizeOf(entry) ?? NaN) ?? [];
    if (alike.length === 0) return false;
    const digest = await this.digestOf(entry);
    for (const other of alike) if (digest !== null && (await this.digestOf(other)) === digest) return true;
    return false;
  }

  /** Null of a file that cannot be read: whoever reads the cases says so. */
  private async digestOf(entry: CaseFiles): Promise<Digest | null> {
    const known = this.digests.get(entry.image);
    if (known !== undefined) return known;
    const digest = await digestOfImage(entry).catch(() => null);
    this.digests.set(entry.image, digest);
    return digest;
  }
}

function sizeOf({ image }: CaseFiles): number | undefined {
  const facts = statSync(image, { throwIfNoEntry: false });
  return facts?.isFile() === true ? facts.size : undefined;
}
