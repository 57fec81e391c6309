import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { FederationError } from '@consilium/shared/kernel';
import { type LocatedRuntime, locateRuntime, TENSORFLOW_VERSION } from './locate-runtime.js';
import type { TensorflowBinding } from './tensorflow-binding.js';

/** Settings that TensorFlow reads once, while it is loaded. */
export interface LoadSettings {
  /** Threads inside one operation; by default all cores. Equal counts give equal bits on the same machine. */
  intraOpThreads?: number;
  /** Operations side by side; 1 by default, for every operation runs to its end before the next begins. */
  interOpThreads?: number;
  /** oneDNN's kernels on the CPU: several times faster, on by default. */
  oneDnn?: boolean;
  /** Messages of TensorFlow on stderr: 0 all, 1 no information, 2 no warnings (default), 3 no errors. */
  logLevel?: 0 | 1 | 2 | 3;
  /** Further entries for the environment, such as those that name the device (see devices/device-environment). */
  environment?: Readonly<Record<string, string>>;
}

let loaded: { addonPath: string; binding: TensorflowBinding } | undefined;

/**
 * Loads TensorFlow into this process (0.3 s, 330 MB) and returns its binding; a later call returns the same one, with the
 * settings of the first. Call it on the main thread: in a worker thread `process.env` is a copy that native code never
 * sees, so the settings would be lost. Throws RUNTIME_MISSING when there is no runtime or it does not load.
 */
export function loadBinding(runtime: LocatedRuntime = locateRuntime(), settings: LoadSettings = {}): TensorflowBinding {
  if (loaded?.addonPath === runtime.addonPath) return loaded.binding;
  applySettings(settings);
  const binding = requireAddon(runtime);
  if (binding.TF_Version !== TENSORFLOW_VERSION) {
    throw new FederationError(
      'RUNTIME_MISSING',
      `the runtime is TensorFlow ${binding.TF_Version}, this program needs ${TENSORFLOW_VERSION}`,
      {
        remedy: 'Run "npm run setup", or name a runtime folder that it laid.',
      },
    );
  }
  loaded = { addonPath: runtime.addonPath, binding };
  return binding;
}

function applySettings(settings: LoadSettings): void {
  const threads = String(settings.intraOpThreads ?? availableParallelism());
  // eslint-disable-next-line no-restricted-properties -- written, not read: the only way to tell TensorFlow
  Object.assign(process.env, {
    TF_CPP_MIN_LOG_LEVEL: String(settings.logLevel ?? 2),
    TF_FORCE_GPU_ALLOW_GROWTH: 'true', // else the first process takes the whole GPU memory
    TF_NUM_INTRAOP_THREADS: threads,
    TF_NUM_INTEROP_THREADS: String(settings.interOpThreads ?? 1),
    OMP_NUM_THREADS: threads,
    TF_ENABLE_ONEDNN_OPTS: settings.oneDnn === false ? '0' : '1',
    ...settings.environment,
  });
}

/** The message crosses the wire, so the loader's own words (they name paths) go into the remedy. */
function requireAddon(runtime: LocatedRuntime): TensorflowBinding {
  try {
    return createRequire(import.meta.url)(runtime.addonPath) as TensorflowBinding;
  } catch (error) {
    const words = error instanceof Error ? error.message : String(error);
    throw new FederationError('RUNTIME_MISSING', 'the TensorFlow runtime was found but does not load', {
      remedy: `Run "npm run setup -- --force" to lay it anew. The loader said: ${words}`,
      cause: error,
    });
  }
}
