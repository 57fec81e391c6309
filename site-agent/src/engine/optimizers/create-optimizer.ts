import { required } from '@consilium/shared/kernel';
import { FLOAT } from '../attributes.js';
import type { Parameter } from '../parameters.js';
import type { Runtime } from '../runtime/runtime.js';
import { adam, adamw } from './adam.js';
import { clipFactor } from './clip-gradients.js';
import { lamb } from './lamb.js';
import type { MethodSettings, Optimizer, OptimizerSettings, RateFactorOf } from './optimizer.js';
import { treatParameters } from './parameter-groups.js';
import { sgd } from './sgd.js';
import { Slots } from './slots.js';
import { StepScalars } from './step-scalars.js';
import type { Change, UpdateRule } from './update-rule.js';
import { AVERAGE, followWeights, readAverages } from './weight-average.js';
import { penalisedGradient } from './weight-decay.js';

/**
 * A fresh optimizer, all slots zero, over the given parameters: groups, clipping, the update rule and the average of the
 * weights put together. Throws ARGUMENT_INVALID when the groups freeze every parameter.
 */
export function createOptimizer(runtime: Runtime, parameters: readonly Parameter[], settings: OptimizerSettings): Optimizer {
  const treated = treatParameters(parameters, settings);
  const rule = createRule(runtime, settings);
  const { clipNorm, averageDecay } = settings;
  const kinds = averageDecay === undefined ? rule.slotKinds : [...rule.slotKinds, AVERAGE];
  const slots = new Slots(runtime, [...treated.keys()], kinds);

  function update(parameters: readonly Parameter[], rateOf: RateFactorOf, scalars: StepScalars): void {
    const factor = clipNorm === undefined ? 1 : clipFactor(runtime, parameters, clipNorm);
    slots.step += 1;
    for (const parameter of parameters) {
      const { rateFactor, weightDecay } = required(treated.get(parameter), 'the treatment of a parameter');
      const gradient = parameter.takeGradient();
      const change = {
        parameter,
        gradient,
        rate: rateOf(parameter.name) * rateFactor,
        weightDecay,
        step: slots.step,
        slots,
        scalars,
      };
      try {
        applyRule(runtime, rule, change, factor);
      } finally {
        gradient.free();
      }
      if (averageDecay !== undefined) followWeights(runtime, parameter, averageDecay, slots, scalars);
    }
  }

  return {
    get steps() {
      return slots.step;
    },
    apply(given, rate, factorOf = () => 1) {
      const scalars = new StepScalars(runtime);
      try {
        update(
          given.filter((parameter) => treated.has(parameter)),
          (name) => rate * factorOf(name),
          scalars,
        );
      } finally {
        scalars.free();
        for (const parameter of given) parameter.dropGradient(); // the frozen ones', or all after an error
      }
    },
    readState: () => slots.read(),
    loadState: (state) => slots.load(state),
    readAverage: () => (averageDecay === undefined || slots.step === 0 ? undefined : readAverages(treated.keys(), slots)),
    dispose: () => slots.dispose(),
  };
}

/** Updates with the gradient times the clipping factor, plus the penalty where the rule does not see to the decay itself. */
function applyRule(runtime: Runtime, rule: UpdateRule, change: Change, factor: number): void {
  const { gradient, weightDecay, scalars } = change;
  const penalised = weightDecay !== 0 && !rule.decoupledDecay;
  if (!penalised && factor === 1) return rule.update(change);
  const changed = penalised
    ? penalisedGradient(runtime, change, factor)
    : runtime.runOne('Mul', FLOAT, [gradient, scalars.of(factor)]);
  try {
    rule.update({ ...change, gradient: changed });
  } finally {
    changed.free();
  }
}

function createRule(runtime: Runtime, settings: MethodSettings): UpdateRule {
  switch (settings.kind) {
    case 'sgd':
      return sgd(runtime, settings);
    case 'adam':
      return adam(runtime, settings);
    case 'adamw':
      return adamw(runtime, settings);
    case 'lamb':
      return lamb(runtime, settings);
  }
}
