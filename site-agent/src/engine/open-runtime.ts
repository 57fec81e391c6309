import { probeNativeKernels } from './native-kernels.js';
import { loadBinding, type LoadSettings } from './runtime/load-binding.js';
import { type LocatedRuntime, locateRuntime } from './runtime/locate-runtime.js';
import { Runtime } from './runtime/runtime.js';

export interface OpenRuntimeOptions {
  /** Threads inside an operation; all cores by default. The same count gives the same bits on the same machine. */
  readonly threads?: number | undefined;
  /** Where TensorFlow lies; by default where set-up put it. */
  readonly located?: LocatedRuntime;
  readonly settings?: LoadSettings;
}

let opened: Runtime | undefined;

/**
 * Loads TensorFlow into this process and tries its private kernels (about half a second). A process has one runtime: later
 * calls return the first one. Throws RUNTIME_MISSING when TensorFlow is not set up.
 */
export function openRuntime(options: OpenRuntimeOptions = {}): Runtime {
  if (opened !== undefined) return opened;
  const settings = { ...(options.threads === undefined ? {} : { intraOpThreads: options.threads }), ...options.settings };
  const binding = loadBinding(options.located ?? locateRuntime(), settings);
  opened = new Runtime(binding, probeNativeKernels(binding));
  return opened;
}
