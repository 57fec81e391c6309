import { resolve } from 'node:path';
import { systemClock } from '@consilium/shared/kernel';
import { requireHome, type SiteFolder } from '../config/site-folder.js';
import type { Modality } from '../volumes/volume.js';
import { CollectionIndex, type IndexedFolder } from './collection-index.js';
import { HeaderPass } from './header-pass.js';
import type { Frames } from './scan-entry.js';
import { SiteHashes } from './site-hashes.js';
import type { VoxelPassSummary } from './voxel-pass.js';
import { liesBelow, requirePaths, walkFiles, type WalkProblem } from './walk-files.js';

export interface IndexOptions {
  /** Folders and files; those that were indexed before when it is left out. */
  readonly paths?: readonly string[] | undefined;
  readonly site: SiteFolder;
  /** Holds for these paths until they are indexed otherwise; a collection.yaml beside the scans is more specific and wins. */
  readonly modality?: Modality | undefined;
  /** Which frames of 4D scans become volumes; as before, or the first, when left out. */
  readonly frames?: Frames | undefined;
  /** Leave the voxels for another time. */
  readonly headersOnly?: boolean | undefined;
  /** That read voxels at a time; a processor each when left out. */
  readonly threads?: number | undefined;
  readonly onProgress?: ((step: IndexStep) => void) | undefined;
}

/** How far indexing is. The number of files is not known before all have been seen. */
export type IndexStep =
  | { readonly pass: 'files'; readonly done: number }
  | { readonly pass: 'series'; readonly done: number; readonly total: number }
  | { readonly pass: 'voxels'; readonly done: number; readonly total: number };

export interface IndexSummary extends VoxelPassSummary {
  /** The paths that were indexed, absolute. */
  readonly folders: readonly string[];
  /** Regular files that were seen, scans or not. */
  readonly files: number;
  /** Scan files whose headers were read, and files that had not changed since the last time. */
  readonly examined: number;
  readonly unchanged: number;
  /** Scan files that are no longer there. */
  readonly removed: number;
  /** What could not be looked at. */
  readonly problems: readonly WalkProblem[];
}

/**
 * Brings the site's index up to date with folders and all below: headers first, then the voxels of what is new. Unchanged files
 * are not read again. Damaged and unfit files are recorded with a reason, never thrown. The index is valid at any time, and the next
 * start goes on where this one ended. FOLDER_MISSING names a path that is not there, CONFIG_INVALID notes that are wrong.
 */
export async function indexCollection(options: IndexOptions): Promise<IndexSummary> {
  const { site, paths } = options;
  if (paths === undefined) requireHome(site);
  else await requirePaths(paths); // before a mistyped path makes an empty site
  const index = CollectionIndex.open(site.databaseFile);
  try {
    const hashes = SiteHashes.open(site.saltFile);
    index.requireSalt(hashes.mark());
    const folders = foldersToIndex(index, options);
    const problems: WalkProblem[] = [];
    const headers = await readHeaders(index, hashes, folders, problems, options);
    index.change(() => index.saveFolders(folders));
    const voxels = options.headersOnly === true ? { checked: 0, changed: 0 } : await readVoxels(index, hashes, folders, options);
    const { checked, changed } = voxels;
    return { folders: folders.map(({ path }) => path), ...headers, checked, changed, problems };
  } finally {
    index.close();
  }
}

function foldersToIndex(index: CollectionIndex, { paths, modality, frames }: IndexOptions): IndexedFolder[] {
  const before = index.folders();
  if (paths === undefined) {
    return before.map((folder) => ({ ...folder, modality: modality ?? folder.modality, frames: frames ?? folder.frames }));
  }
  const named = [...new Set(paths.map((path) => resolve(path)))];
  return named
    .filter((path) => !named.some((other) => liesBelow(path, other)))
    .map((path) => ({ path, modality, frames: frames ?? before.find((folder) => folder.path === path)?.frames ?? 'first' }));
}

async function readHeaders(
  index: CollectionIndex,
  hashes: SiteHashes,
  folders: readonly IndexedFolder[],
  problems: WalkProblem[],
  { paths, onProgress }: IndexOptions,
): Promise<Pick<IndexSummary, 'files' | 'examined' | 'unchanged' | 'removed'>> {
  const found = { files: 0, examined: 0, unchanged: 0, removed: 0 };
  const startedMs = systemClock.nowMs();
  for (const { path, modality } of folders) {
    const apart = folders.map((folder) => folder.path).filter((other) => liesBelow(other, path)); // has its own turn
    const pass = new HeaderPass({ index, hashes, hint: modality, startedMs });
    const unread: WalkProblem[] = [];
    for await (const files of walkFiles([path], (problem) => unread.push(problem), { lenient: paths === undefined, apart })) {
      await pass.visit(files);
      found.files += files.length;
      onProgress?.({ pass: 'files', done: found.files });
    }
    found.removed += pass.removeGone([path], [...apart, ...unread.map((problem) => problem.path)]);
    await pass.assembleSeries((done, total) => onProgress?.({ pass: 'series', done, total }));
    found.examined += pass.examined;
    found.unchanged += pass.unchanged;
    problems.push(...unread);
  }
  return found;
}

/** Scans whose voxels are to be read with these frames: where folders lie within one another, the innermost decides. */
function pendingIn(index: CollectionIndex, folders: readonly IndexedFolder[], frames: Frames): number[] {
  const wanted = folders.filter((folder) => folder.frames === frames);
  const scans = new Set<number>();
  for (const { path } of wanted.sort((one, other) => one.path.length - other.path.length)) {
    for (const id of index.scans.pendingBelow(path, frames)) scans.add(id);
    const apart = folders.filter((folder) => folder.frames !== frames && liesBelow(folder.path, path));
    for (const folder of apart) for (const id of index.scans.idsBelow(folder.path)) scans.delete(id);
  }
  return [...scans];
}

async function readVoxels(
  index: CollectionIndex,
  hashes: SiteHashes,
  folders: readonly IndexedFolder[],
  { threads, onProgress }: IndexOptions,
): Promise<VoxelPassSummary> {
  const sum = { checked: 0, changed: 0 };
  for (const frames of ['first', 'all'] as const) {
    const scans = pendingIn(index, folders, frames);
    if (scans.length === 0) continue;
    const report = (done: number, total: number): void => onProgress?.({ pass: 'voxels', done, total });
    report(0, scans.length);
    const { checkVoxels } = await import('./voxel-pass.js'); // nothing of it is needed when nothing is new
    const { checked, changed } = await checkVoxels({ index, hashes, scans, frames, threads, onProgress: report });
    sum.checked += checked;
    sum.changed += changed;
  }
  return sum;
}
