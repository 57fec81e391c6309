/**
 * LAMB (You et al., "Large batch optimization for deep learning: training BERT in 76 minutes", ICLR 2020, algorithm 2, with
 * φ the identity): u = m̂ / (√v̂ + ε) + decay · w; w ← w − rate · ‖w‖/‖u‖ · u, the norms taken per parameter. Where one of
 * them is zero their quotient counts as 1.
 */
import { FLOAT } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import { Variable } from '../variable.js';
import { applyMoments, MOMENTS } from './adam.js';
import { assignScaled, subtractScaled } from './in-place.js';
import type { MomentSettings } from './optimizer.js';
import type { UpdateRule } from './update-rule.js';

export function lamb(runtime: Runtime, settings: MomentSettings): UpdateRule {
  return {
    slotKinds: MOMENTS,
    decoupledDecay: true,
    update(change) {
      const direction = new Variable(runtime, change.parameter.variable.shape);
      try {
        assignScaled(runtime, direction, change.scalars.of(-change.weightDecay), change.parameter.variable);
        applyMoments(runtime, settings, { ...change, rate: 1 }, direction); // now −u: Adam's kernel subtracts
        addScaled(runtime, change.parameter, change.rate * trustRatio(runtime, change.parameter, direction), direction);
      } finally {
        direction.dispose();
      }
    },
  };
}

/** ‖w‖ / ‖u‖, of which only the absolute values count. */
function trustRatio(runtime: Runtime, parameter: Parameter, direction: Variable): number {
  const [weight, step] = [squaredNorm(runtime, parameter.variable), squaredNorm(runtime, direction)];
  return weight > 0 && step > 0 ? Math.sqrt(weight / step) : 1;
}

function squaredNorm(runtime: Runtime, variable: Variable): number {
  const view = variable.view();
  const half = runtime.runOne('L2Loss', FLOAT, [view]);
  view.free();
  return 2 * runtime.takeNumber(half);
}

function addScaled(runtime: Runtime, parameter: Parameter, factor: number, direction: Variable): void {
  const view = direction.view();
  const negated = runtime.scalar(-factor); // every parameter has its own: nothing to share
  subtractScaled(runtime, parameter.variable, negated, view);
  negated.free();
  view.free();
}
