import { isUtf8 } from 'node:buffer';
import type { BigIntStats, Dirent } from 'node:fs';
import { opendir, stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { errnoOf, FederationError } from '@consilium/shared/kernel';

/** A regular file below the folders. */
export interface WalkedFile {
  /** Absolute. When the name is no UTF-8 its odd bytes are written as \xHH, and `openAs` must be used to open it. */
  readonly path: string;
  readonly openAs?: Buffer;
  readonly bytes: number;
  readonly modifiedMs: number;
}

/** A folder that could not be looked through, or a file that could not even be asked for its size. */
export interface WalkProblem {
  readonly path: string;
  readonly reason: string;
}

const BATCH_FILES = 512;
const ASKED_AT_ONCE = 32;
const DOT = '.'.charCodeAt(0);
const SLASH = Buffer.from(sep);

/**
 * Regular files at and below the given paths, in batches, each file once; a folder of any size is streamed. Links are followed, but no
 * folder is entered twice; a folder is entered under its own name rather than a link's. Hidden entries, pipes and devices are
 * left alone. What cannot be read is told and passed over. FOLDER_MISSING when one of the given paths itself cannot be read,
 * unless `lenient`. Paths that are to be left `apart` are neither entered nor returned.
 */
export async function* walkFiles(
  roots: readonly string[],
  onProblem: (problem: WalkProblem) => void,
  { lenient = false, apart = [] }: { readonly lenient?: boolean; readonly apart?: readonly string[] } = {},
): AsyncGenerator<readonly WalkedFile[]> {
  const walk = new Walk(onProblem, new Set(apart));
  for (const root of roots) {
    const problem = await walk.addRoot(resolve(root));
    if (problem === undefined) continue;
    if (!lenient) throw folderMissing(root, problem);
    onProblem({ path: resolve(root), reason: problem });
  }
  yield* walk.batches();
}

/** Throws FOLDER_MISSING unless all of the paths can be read. */
export async function requirePaths(paths: readonly string[]): Promise<void> {
  if (paths.includes('')) {
    throw new FederationError('ARGUMENT_INVALID', 'one of the paths is empty', {
      remedy: 'Perhaps a variable of the shell is not set. Name the folder that holds the scans; "." is the current one.',
    });
  }
  const walk = new Walk(() => undefined);
  for (const path of paths) {
    const problem = await walk.addRoot(resolve(path));
    if (problem !== undefined) throw folderMissing(path, problem);
  }
}

/** Whether an absolute path lies below another, and is not the same. */
export function liesBelow(path: string, folder: string): boolean {
  return path !== folder && path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}

class Walk {
  private readonly entered = new Set<string>();
  private readonly folders: Buffer[] = [];
  /** Links to folders wait until all folders have been entered under their own names. */
  private readonly links: Buffer[] = [];
  private found: Buffer[] = [];
  private readonly given: Buffer[] = [];

  constructor(
    private readonly onProblem: (problem: WalkProblem) => void,
    private readonly apart: ReadonlySet<string> = new Set(),
  ) {}

  async addRoot(path: string): Promise<string | undefined> {
    try {
      const facts = await stat(path);
      if (facts.isFile()) this.given.push(Buffer.from(path));
      else if (facts.isDirectory()) {
        await (await opendir(path)).close(); // may it be read?
        this.folders.push(Buffer.from(path));
      } else return 'neither a folder nor a file';
      return undefined;
    } catch (thrown) {
      return reasonOf(thrown);
    }
  }

  async *batches(): AsyncGenerator<readonly WalkedFile[]> {
    this.found.push(...this.given);
    for (let folder = this.next(); folder !== undefined; folder = this.next()) yield* this.enter(folder);
    if (this.found.length > 0) yield await this.ask(this.found);
  }

  private next(): Buffer | undefined {
    return this.folders.pop() ?? this.links.shift();
  }

  private async *enter(folder: Buffer): AsyncGenerator<readonly WalkedFile[]> {
    try {
      if (!this.isNew(await stat(folder, { bigint: true }))) return;
      const entries = await opendir(folder, {
        encoding: 'buffer' as BufferEncoding,
        bufferSize: BATCH_FILES,
      });
      for await (const entry of entries as AsyncIterable<unknown>) {
        await this.sort(folder, entry as Dirent<Buffer>);
        if (this.found.length < BATCH_FILES) continue;
        const batch = this.found;
        this.found = [];
        yield await this.ask(batch);
      }
    } catch (thrown) {
      this.onProblem({ path: printable(folder), reason: reasonOf(thrown) });
    }
  }

  private isNew({ dev, ino }: BigIntStats): boolean {
    const key = `${dev}:${ino}`;
    if (this.entered.has(key)) return false;
    this.entered.add(key);
    return true;
  }

  private async sort(folder: Buffer, entry: Dirent<Buffer>): Promise<void> {
    if (entry.name[0] === DOT) return;
    const atEnd = folder.at(-1) === SLASH[0];
    const path = Buffer.concat(atEnd ? [folder, entry.name] : [folder, SLASH, entry.name]);
    if (this.apart.size > 0 && this.apart.has(path.toString())) return;
    if (entry.isFile()) this.found.push(path);
    else if (entry.isDirectory()) this.folders.push(path);
    else if (entry.isSymbolicLink()) await this.sortLink(path);
  }

  private async sortLink(path: Buffer): Promise<void> {
    try {
      const facts = await stat(path);
      if (facts.isFile()) this.found.push(path);
      else if (facts.isDirectory()) this.links.push(path);
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') this.onProblem({ path: printable(path), reason: reasonOf(thrown) });
    }
  }

  private async ask(paths: readonly Buffer[]): Promise<WalkedFile[]> {
    const files: WalkedFile[] = [];
    for (let first = 0; first < paths.length; first += ASKED_AT_ONCE) {
      const asked = await Promise.all(paths.slice(first, first + ASKED_AT_ONCE).map((path) => this.askOne(path)));
      for (const file of asked) if (file !== undefined) files.push(file);
    }
    return files;
  }

  private async askOne(path: Buffer): Promise<WalkedFile | undefined> {
    try {
      const { size: bytes, mtimeMs: modifiedMs } = await stat(path);
      return isUtf8(path)
        ? { path: path.toString(), bytes, modifiedMs }
        : { path: printable(path), openAs: path, bytes, modifiedMs };
    } catch (thrown) {
      if (errnoOf(thrown) !== 'ENOENT') this.onProblem({ path: printable(path), reason: reasonOf(thrown) });
      return undefined; // gone since it was listed
    }
  }
}

/** A name in words: bytes that are no UTF-8 are written as \xHH. */
export function printable(path: Buffer): string {
  if (isUtf8(path)) return path.toString();
  return Array.from(path, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'no permission to read it',
  EPERM: 'no permission to read it',
  ENOENT: 'it does not exist',
  ELOOP: 'its links lead in a circle',
  ENAMETOOLONG: 'its name is too long',
};

function reasonOf(thrown: unknown): string {
  const code = errnoOf(thrown);
  return REASONS[code ?? ''] ?? `it cannot be read (${code ?? String(thrown)})`;
}

function folderMissing(root: string, problem: string): FederationError {
  return new FederationError('FOLDER_MISSING', `${resolve(root)} cannot be read: ${problem}`, {
    remedy: root.startsWith('~')
      ? 'The shell puts your own folder in place of "~" only where it stands outside of quotes and after a space.'
      : 'Name a folder or file that exists and that this user may read.',
  });
}
