import { FederationError } from '@consilium/shared/kernel';
import { locateRuntime, type RuntimeSearch } from '../engine/runtime/locate-runtime.js';
import { readRuntimeFacts } from '../engine/runtime/runtime-facts.js';
import type { ProbeAnswer } from './runtime-probe.js';

// The process that runtime-probe starts: loads TensorFlow, answers once and ends.
const search = JSON.parse(process.argv[2] ?? '{}') as RuntimeSearch;
process.send?.(probe());

function probe(): ProbeAnswer {
  try {
    return { facts: readRuntimeFacts(locateRuntime(search)) };
  } catch (error) {
    const { code, message, remedy } = FederationError.from(error, 'RUNTIME_MISSING');
    return { code, message, remedy };
  }
}
