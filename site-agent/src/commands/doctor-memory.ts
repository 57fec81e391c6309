import { statfs } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { formatBytes } from '@consilium/shared/kernel';
import type { Check } from '@consilium/shared/terminal';

const FOLDER = '/dev/shm';
/** About what eight batches of the published network's patches take: threads of a trainer hand them over in such memory. */
const SHARED_BYTES = 256 * 2 ** 20;
/** Files there that take a larger part of the memory are worth a word. */
const MUCH_USED_SHARE = 0.1;

export interface SharedMemoryFacts {
  /** Of the memory file system that containers give a size; undefined where there is none. */
  readonly folder: { readonly bytes: number; readonly freeBytes: number } | undefined;
  readonly memoryBytes: number;
  /** Whether this process may have memory that its threads share. */
  readonly threadsShare: boolean;
}

export async function checkSharedMemory(): Promise<Check[]> {
  return [judgeSharedMemory(await readSharedMemory())];
}

async function readSharedMemory(): Promise<SharedMemoryFacts> {
  const disk = await statfs(FOLDER).catch(() => undefined);
  const folder = disk && { bytes: disk.blocks * disk.bsize, freeBytes: disk.bavail * disk.bsize };
  return { folder, memoryBytes: totalmem(), threadsShare: canShare() };
}

/**
 * A trainer's threads share memory of their own process, and trainers of several cards talk over sockets: neither needs room in
 * /dev/shm, so a container's usual 64 MiB do no harm. What lies there is memory that training lacks.
 */
export function judgeSharedMemory({ folder, memoryBytes, threadsShare }: SharedMemoryFacts): Check {
  const name = 'shared memory';
  if (!threadsShare) {
    const remedy =
      'Training hands patches from thread to thread in such memory: raise the limit of this account or container ("ulimit -v unlimited", --memory).';
    const finding = `this process may not have ${formatBytes(SHARED_BYTES)} that its threads share`;
    return { name, status: 'failed', finding, remedy, code: 'OUT_OF_MEMORY' };
  }
  if (folder === undefined) return { name, status: 'ok', finding: `no ${FOLDER} here, and training needs none` };
  const usedBytes = folder.bytes - folder.freeBytes;
  const size = `${FOLDER} has ${formatBytes(folder.bytes)}, ${formatBytes(folder.freeBytes)} free`;
  if (usedBytes <= MUCH_USED_SHARE * memoryBytes) return { name, status: 'ok', finding: `${size}; training needs none of it` };
  const remedy =
    `Files in ${FOLDER} are held in memory, which training then lacks: delete what other programs have left there. ` +
    'In a container, --shm-size says how much may lie there; training itself needs nothing of it.';
  return { name, status: 'warning', finding: `${size}: ${formatBytes(usedBytes)} of this computer's memory are taken`, remedy };
}

function canShare(): boolean {
  try {
    return new SharedArrayBuffer(SHARED_BYTES).byteLength === SHARED_BYTES;
  } catch {
    return false;
  }
}
