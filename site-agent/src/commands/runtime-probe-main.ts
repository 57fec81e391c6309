import { FederationError } from '@consilium/shared/kernel';
import { locateRuntime, type RuntimeSearch } from '../engine/runtime/locate-runtime.js';
import { readRuntimeFacts } from '../engine/runtime/runtime-facts.js';
import type { ProbeAnswer } from './runtime-probe.js';

// The process that runtime-probe starts: loads TensorFlow, answers once and ends.
const search = JSON.parse(process.argv[2] ?? '{}') as RuntimeSearch;
process.send?.(probe());

function probe(): ProbeAnswer {
  try {
    const located = locateRuntime(search);
    // The GPU variant's warnings tell why it accepts no card; the starting process reads them.
    return { facts: readRuntimeFacts(located, located.record.variant === 'gpu' ? { logLevel: 1 } : {}) };
  } catch (error) {
    const { code, message, remedy } = FederationError.from(error, 'RUNTIME_MISSING');
    return { code, message, remedy };
  }
}
