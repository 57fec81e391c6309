import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

/** What TensorFlow 2.21 opens before it accepts a card; it names a missing one only in its most verbose log. */
const NEEDED = [
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
] as const;
/** Comes with the driver, not with CUDA. */
const DRIVER_LIBRARY = 'libcuda.so.1';
/** Where the loader looks by itself, and where drivers put their library in containers and under WSL. */
const SYSTEM_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/lib/x86_64-linux-gnu', '/usr/lib64', '/lib64', '/usr/lib', '/lib'];

export interface LibrarySearch {
  readonly missing: readonly string[];
  /** True when the driver's own library can be found. */
  readonly driverLibrary: boolean;
  readonly lookedIn: readonly string[];
}

/** Looks for the libraries of CUDA and cuDNN in the given folders, the system's and the loader's cache; opens none. */
export function findCudaLibraries(folders: readonly string[], cached: ReadonlySet<string> = loaderCache()): LibrarySearch {
  const lookedIn = [...new Set([...folders, ...SYSTEM_FOLDERS])].filter((folder) => existsSync(folder));
  const isThere = (name: string): boolean => cached.has(name) || lookedIn.some((folder) => existsSync(join(folder, name)));
  return { missing: NEEDED.filter((name) => !isThere(name)), driverLibrary: isThere(DRIVER_LIBRARY), lookedIn };
}

/** File names in the loader's cache; empty where there is no ldconfig. */
function loaderCache(): Set<string> {
  for (const program of ['ldconfig', '/sbin/ldconfig']) {
    try {
      const text = execFileSync(program, ['-p'], { encoding: 'utf8', timeout: 5_000, stdio: ['ignore', 'pipe', 'ignore'] });
      return new Set([...text.matchAll(/^\t(\S+) \(/gm)].map(([, name = '']) => name));
    } catch {
      continue; // not on the path, or not there at all
    }
  }
  return new Set();
}
