/** What Linux lets this process use of the memory: control groups of version 2 and version 1, as containers and services have. */
import { readFileSync } from 'node:fs';
import { join, posix } from 'node:path';

/** Reads a small text file; undefined when there is none. */
export type ReadText = (path: string) => string | undefined;

export interface ControlGroupMemory {
  /** Bytes that the group may still take before the kernel kills; undefined when no limit is set. */
  readonly freeBytes: number | undefined;
  /** Processes of the group that the kernel has killed for memory; undefined when it does not say. */
  readonly memoryKills: number | undefined;
}

const GROUPS = '/sys/fs/cgroup';
/** Version 1 writes about 2⁶³ where no limit is set. */
const NO_LIMIT_BYTES = 2 ** 60;

export const readTextFile: ReadText = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined; // not Linux, or not there in this version
  }
};

/** The tightest limit of this process's group and of all groups above it. */
export function readControlGroup(read: ReadText = readTextFile): ControlGroupMemory {
  const groups = read('/proc/self/cgroup') ?? '';
  const first = /^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m.exec(groups)?.[1];
  if (first !== undefined) return readGroups(join(GROUPS, 'memory'), first, (folder) => readVersion1(folder, read));
  const second = /^0::(.*)$/m.exec(groups)?.[1];
  if (second !== undefined) return readGroups(GROUPS, second, (folder) => readVersion2(folder, read));
  return { freeBytes: undefined, memoryKills: undefined };
}

function readGroups(root: string, path: string, readGroup: (folder: string) => ControlGroupMemory): ControlGroupMemory {
  const found = foldersUpwards(path).map((folder) => readGroup(join(root, folder)));
  const free = found.flatMap(({ freeBytes }) => (freeBytes === undefined ? [] : [freeBytes]));
  const kills = found.map(({ memoryKills }) => memoryKills).find((count) => count !== undefined);
  return { freeBytes: free.length === 0 ? undefined : Math.min(...free), memoryKills: kills };
}

/** "/a/b" → /a/b, /a, /. Inside a container the path may not be there, but the root then is the container's own group. */
function foldersUpwards(path: string): string[] {
  const folders = [path];
  for (let folder = path; folder !== '/' && folder !== '.' && folder !== '';) {
    folder = posix.dirname(folder);
    folders.push(folder);
  }
  return folders;
}

function readVersion2(folder: string, read: ReadText): ControlGroupMemory {
  const limit = numberIn(read(join(folder, 'memory.max')));
  const used = numberIn(read(join(folder, 'memory.current')));
  const cache = fieldOf(read(join(folder, 'memory.stat')), 'inactive_file') ?? 0;
  return {
    freeBytes: limit === undefined || used === undefined ? undefined : Math.max(0, limit - used + cache),
    memoryKills: fieldOf(read(join(folder, 'memory.events')), 'oom_kill'),
  };
}

function readVersion1(folder: string, read: ReadText): ControlGroupMemory {
  const limit = numberIn(read(join(folder, 'memory.limit_in_bytes')));
  const used = numberIn(read(join(folder, 'memory.usage_in_bytes')));
  const cache = fieldOf(read(join(folder, 'memory.stat')), 'total_inactive_file') ?? 0;
  const limited = limit !== undefined && limit < NO_LIMIT_BYTES && used !== undefined;
  return {
    freeBytes: limited ? Math.max(0, limit - used + cache) : undefined,
    memoryKills: fieldOf(read(join(folder, 'memory.oom_control')), 'oom_kill'),
  };
}

/** A file's only number; undefined for "max". */
function numberIn(text: string | undefined): number | undefined {
  return text !== undefined && /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function fieldOf(text: string | undefined, name: string): number | undefined {
  const value = text === undefined ? undefined : new RegExp(`^${name} (\\d+)$`, 'm').exec(text)?.[1];
  return value === undefined ? undefined : Number(value);
}
