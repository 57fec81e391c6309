/**
 * Which parameters of a model are averaged and which each site keeps for itself: FedBN (Li et al., ICLR 2021) keeps the norms,
 * personal layers keep any others.
 */
import { federatedPart, type Manifest, type ParameterScope } from '@consilium/shared/weights';
import { parametersOf } from './manifest-of.js';
import type { ModelSpec } from './model-spec.js';
import { nameMatcher } from './name-matcher.js';
import type { ParameterSpec } from './parameter-spec.js';
import { ADVERSARY_PREFIX } from './universal-spec.js';

/** Stands for all parameters of norm layers: scale, shift and running statistics. */
export const NORMS = 'norms';

/** Begins the name of a control variate's part of an update (SCAFFOLD); the parameter's own name follows. */
export const CONTROL_PREFIX = 'control/';

/** What a round trains: all there is, all but the modality adversary, or the modality adversary alone. */
export type ModelPart = 'all' | 'representation' | 'adversary';

/** True for the parameters that the choice names: "norms", or a pattern as in {@link nameMatcher}. */
export function siteLocalMatcher(choice: string): (parameter: ParameterSpec) => boolean {
  if (choice === NORMS) return ({ layer }) => layer === 'norm';
  const matches = nameMatcher(choice);
  return ({ name }) => matches(name);
}

/** True for the parameters that a round of this part trains. */
export function isOfPart(name: string, part: ModelPart): boolean {
  return part === 'all' || name.startsWith(ADVERSARY_PREFIX) === (part === 'adversary');
}

/**
 * The model's manifest for a round of this part: what the choices name is `site-local`, what belongs to another part is `still`,
 * the rest is federated.
 */
export function scopedManifest(spec: ModelSpec, siteLocal: readonly string[] = [], part: ModelPart = 'all'): Manifest {
  const matchers = siteLocal.map(siteLocalMatcher);
  const scopeOf = (parameter: ParameterSpec): ParameterScope => {
    if (matchers.some((matches) => matches(parameter))) return 'site-local';
    return isOfPart(parameter.name, part) ? 'federated' : 'still';
  };
  return {
    tensors: parametersOf(spec).map((parameter) => ({
      name: parameter.name,
      shape: parameter.shape,
      dtype: 'F32',
      scope: scopeOf(parameter),
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
