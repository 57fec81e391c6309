import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

/** The project's root folder, wherever the command was started. */
export const ROOT = resolve(import.meta.dirname, '../..');

/** The workspaces, in the order of their references. */
export const PACKAGES = ['shared', 'coordinator', 'site-agent', 'deploy'];

/** Inside node_modules on purpose: installing packages anew forgets the stamps with them. */
const STAMPS = join(ROOT, 'node_modules', '.consilium', 'stamps.json');

/** What was true when a step last succeeded, by step. */
export function readStamps() {
  try {
    return JSON.parse(readFileSync(STAMPS, 'utf8'));
  } catch {
    return {};
  }
}

export function writeStamp(step, value) {
  mkdirSync(dirname(STAMPS), { recursive: true });
  writeFileSync(`${STAMPS}.new`, JSON.stringify({ ...readStamps(), [step]: value }, null, 2));
  renameSync(`${STAMPS}.new`, STAMPS);
}

/** Digest of the contents of a few files; a missing one counts as empty. */
export function digestOfContents(paths) {
  const hash = createHash('sha256');
  for (const path of paths)
    hash
      .update(`${relative(ROOT, path)}\n`)
      .update(existsSync(path) ? readFileSync(path) : '')
      .update('\n');
  return hash.digest('hex');
}

/** Digest of names, sizes and times of the files under folders: quick, and any edit changes it. */
export function digestOfListing(folders, wanted) {
  const lines = folders
    .flatMap((folder) => filesUnder(folder).filter(wanted))
    .map((path) => {
      const { size, mtimeMs } = statSync(path);
      return `${relative(ROOT, path)} ${size} ${mtimeMs}`;
    });
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex');
}

function filesUnder(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}
