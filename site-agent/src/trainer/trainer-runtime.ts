import { runtimeSearch } from '../config/runtime-search.js';
import { openRuntime } from '../engine/open-runtime.js';
import { locateRuntime } from '../engine/runtime/locate-runtime.js';
import type { Runtime } from '../engine/runtime/runtime.js';
import type { TrainerLimits } from './trainer-messages.js';

/** Opens TensorFlow for this process, from where the site's environment says it lies, within the site's limits. */
export function openTrainerRuntime(limits: TrainerLimits): Runtime {
  return openRuntime({ threads: limits.threads, located: locateRuntime(runtimeSearch()) });
}
