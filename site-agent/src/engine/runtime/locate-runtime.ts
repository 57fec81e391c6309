import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { z } from 'zod';

/** The TensorFlow release that the engine is written and tested for; deploy/runtime lays the same one. */
export const TENSORFLOW_VERSION = '2.21.0';

/** File name of the compiled addon inside a runtime folder. */
export const ADDON_FILE = 'tfjs_binding.node';

const runtimeRecordSchema = z.object({
  formatVersion: z.literal(1),
  version: z.string(),
  variant: z.enum(['cpu', 'gpu']),
  arch: z.string(),
  created: z.string(),
  compiler: z.string(),
  digests: z.record(z.string(), z.string()),
  /** Folders of CUDA libraries, relative to the runtime folder; empty for the CPU variant. */
  libraryFolders: z.array(z.string()).default([]),
});

/** What set-up wrote into runtime.json as its last step: a folder without it is unfinished. */
export type RuntimeRecord = z.infer<typeof runtimeRecordSchema>;

/** A runtime folder laid by deploy/runtime, ready to load. */
export interface LocatedRuntime {
  folder: string;
  addonPath: string;
  record: RuntimeRecord;
  origin: 'configured' | 'package' | 'cache';
}

/** Where to look. Every part is optional: after `npm run setup` an empty search finds the runtime. */
export interface RuntimeSearch {
  /** A folder named by the user: when given, nothing else is tried. */
  runtimeFolder?: string | undefined;
  /** The user's cache folder; by default `~/.cache`. */
  cacheFolder?: string | undefined;
  /** Prefer this variant in the cache; by default gpu before cpu. */
  variant?: 'cpu' | 'gpu' | undefined;
}

/**
 * Finds a finished runtime: the configured folder, else the one that set-up linked into the tfjs package, else the user's
 * cache. Throws RUNTIME_MISSING when there is none. Reads no large file: nothing is loaded or digested here.
 */
export function locateRuntime(search: RuntimeSearch = {}): LocatedRuntime {
  if (search.runtimeFolder !== undefined) return locateConfigured(search.runtimeFolder);
  const linked = linkedRuntimeFolder();
  if (linked !== undefined && variantFits(linked, search)) {
    const found = readRuntimeFolder(linked, 'package');
    if (found !== undefined) return found;
  }
  for (const folder of cacheCandidates(search)) {
    const found = readRuntimeFolder(folder, 'cache');
    if (found !== undefined) return found;
  }
  throw new FederationError('RUNTIME_MISSING', 'the TensorFlow runtime is not set up on this computer', {
    remedy: 'Run "npm run setup" in the project folder; it needs Python 3 with pip and a C++ compiler.',
  });
}

/**
 * Blocks as large go back to the system when they are freed. Left to itself, the C library raises this bound to 32 MiB and
 * keeps more holes between the tensors: up to a tenth of the peak memory, for one per cent of the time.
 */
const RETURNED_BLOCK_BYTES = 12 * 2 ** 20;

/**
 * The environment entries that a process which loads TensorFlow is started with, for they are read only once, before Node
 * begins: where the GPU variant's libraries lie, and how the C library keeps memory.
 */
export function runtimeEnvironment(runtime: LocatedRuntime, inheritedLibraryPath = ''): Record<string, string> {
  const folders = runtime.record.libraryFolders.map((folder) => join(runtime.folder, folder));
  const memory = { MALLOC_MMAP_THRESHOLD_: String(RETURNED_BLOCK_BYTES) };
  if (folders.length === 0) return memory;
  return { ...memory, LD_LIBRARY_PATH: [...folders, ...inheritedLibraryPath.split(':').filter((part) => part !== '')].join(':') };
}

function locateConfigured(folder: string): LocatedRuntime {
  const found = readRuntimeFolder(folder, 'configured');
  if (found !== undefined) return found;
  throw new FederationError('RUNTIME_MISSING', 'the configured runtime folder holds no finished TensorFlow runtime', {
    remedy: `${folder} should hold runtime.json, lib/ and ${ADDON_FILE}: correct the path, or leave it out and run "npm run setup".`,
  });
}

function readRuntimeFolder(folder: string, origin: LocatedRuntime['origin']): LocatedRuntime | undefined {
  const addonPath = join(folder, ADDON_FILE);
  const recordPath = join(folder, 'runtime.json');
  if (!existsSync(recordPath) || !existsSync(addonPath)) return undefined;
  const record = parseRecord(readFileSync(recordPath, 'utf8'));
  if (record === undefined || record.version !== TENSORFLOW_VERSION || record.arch !== process.arch) return undefined;
  return { folder, addonPath, record, origin };
}

function parseRecord(text: string): RuntimeRecord | undefined {
  try {
    return runtimeRecordSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // half-written by hand; set-up itself writes it atomically
  }
}

/** Set-up links the addon into the npm package; the link's target names the folder it laid for this checkout. */
function linkedRuntimeFolder(): string | undefined {
  try {
    const manifest = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json');
    return dirname(realpathSync(join(dirname(manifest), 'lib', 'napi-v8', ADDON_FILE)));
  } catch {
    return undefined;
  }
}

function variantFits(folder: string, search: RuntimeSearch): boolean {
  return search.variant === undefined || folder.includes(`tensorflow-${search.variant}-`);
}

function cacheCandidates(search: RuntimeSearch): string[] {
  const root = join(search.cacheFolder ?? join(homedir(), '.cache'), 'consilium', 'runtime');
  const variants = search.variant === undefined ? ['gpu', 'cpu'] : [search.variant];
  return variants.map((variant) => join(root, runtimeFolderName(variant)));
}

function runtimeFolderName(variant: string): string {
  return `tensorflow-${variant}-${TENSORFLOW_VERSION}-${process.arch}`;
}
