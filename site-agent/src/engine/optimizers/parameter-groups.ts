import { FederationError } from '@consilium/shared/kernel';
import { nameMatcher } from '@consilium/shared/models';
import type { Parameter } from '../parameters.js';
import type { ParameterGroup, SharedSettings } from './optimizer.js';

/** How one parameter is updated. */
export interface Treatment {
  readonly rateFactor: number;
  readonly weightDecay: number;
}

/**
 * The treatment of each parameter that is updated, in the given order; frozen ones are left out. A group may match none of
 * them (a bias without effect, say). Throws ARGUMENT_INVALID when every parameter is frozen.
 */
export function treatParameters(parameters: readonly Parameter[], settings: SharedSettings): Map<Parameter, Treatment> {
  const groups = (settings.groups ?? []).map((group) => ({ ...group, matches: nameMatcher(group.match) }));
  const treated = new Map<Parameter, Treatment>();
  for (const parameter of parameters) {
    const group = groups.find(({ matches }) => matches(parameter.name));
    if (group?.frozen !== true) treated.set(parameter, treatmentOf(parameter, settings, group));
  }
  if (treated.size === 0) throw allFrozen();
  return treated;
}

function treatmentOf({ shape }: Parameter, settings: SharedSettings, group: ParameterGroup | undefined): Treatment {
  const spared = settings.decayVectors === false && shape.length < 2;
  return {
    rateFactor: group?.rateFactor ?? 1,
    weightDecay: spared ? 0 : (group?.weightDecay ?? settings.weightDecay ?? 0),
  };
}

function allFrozen(): FederationError {
  return new FederationError('ARGUMENT_INVALID', 'the parameter groups freeze every parameter: nothing would be trained', {
    remedy: 'Leave at least one parameter out of the frozen groups of the plan.',
  });
}
