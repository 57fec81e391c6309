/**
 * Which parameters of a model are averaged and which each site keeps for itself: FedBN (Li et al., ICLR 2021) keeps the norms,
 * personal layers keep any others.
 */
import { federatedPart, type Manifest } from '@consilium/shared/weights';
import { parametersOf } from './manifest-of.js';
import type { ModelSpec } from './model-spec.js';
import { nameMatcher } from './name-matcher.js';
import type { ParameterSpec } from './parameter-spec.js';

/** Stands for all parameters of norm layers: scale, shift and running statistics. */
export const NORMS = 'norms';

/** Begins the name of a control variate's part of an update (SCAFFOLD); the parameter's own name follows. */
export const CONTROL_PREFIX = 'control/';

/** True for the parameters that the choice names: "norms", or a pattern as in {@link nameMatcher}. */
export function siteLocalMatcher(choice: string): (parameter: ParameterSpec) => boolean {
  if (choice === NORMS) return ({ layer }) => layer === 'norm';
  const matches = nameMatcher(choice);
  return ({ name }) => matches(name);
}

/** The model's manifest; what the choices name is `site-local`, everything is federated without them. */
export function scopedManifest(spec: ModelSpec, siteLocal: readonly string[] = []): Manifest {
  const matchers = siteLocal.map(siteLocalMatcher);
  return {
    tensors: parametersOf(spec).map((parameter) => ({
      name: parameter.name,
      shape: parameter.shape,
      dtype: 'F32',
      scope: matchers.some((matches) => matches(parameter)) ? 'site-local' : 'federated',
    })),
  };
}

/**
 * One control variate for each federated parameter that gradients reach, under its prefixed name: what SCAFFOLD adds to an
 * update, and what a coordinator sends back as their mean.
 */
export function controlManifest(spec: ModelSpec, siteLocal?: readonly string[]): Manifest {
  const trained = new Set(parametersOf(spec).flatMap(({ name, role }) => (role === 'trained' ? [name] : [])));
  return {
    tensors: federatedPart(scopedManifest(spec, siteLocal))
      .tensors.filter(({ name }) => trained.has(name))
      .map((tensor) => ({ ...tensor, name: CONTROL_PREFIX + tensor.name })),
  };
}

/** False where something is averaged that gradients do not reach, running statistics for example. */
export function everyFederatedHasControl(spec: ModelSpec, siteLocal?: readonly string[]): boolean {
  return controlManifest(spec, siteLocal).tensors.length === federatedPart(scopedManifest(spec, siteLocal)).tensors.length;
}
