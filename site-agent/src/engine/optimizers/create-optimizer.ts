import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import { adam } from './adam.js';
import type { Optimizer, OptimizerSettings } from './optimizer.js';
import { sgd } from './sgd.js';

/** A fresh optimizer, all slots zero, over the given parameters. */
export function createOptimizer(runtime: Runtime, parameters: readonly Parameter[], settings: OptimizerSettings): Optimizer {
  switch (settings.kind) {
    case 'sgd':
      return sgd(runtime, parameters, settings.momentum);
    case 'adam':
      return adam(runtime, parameters, settings);
  }
}
