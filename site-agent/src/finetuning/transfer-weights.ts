import { FederationError } from '@consilium/shared/kernel';
import { initialWeights, type ModelSpec, outputLayerPrefix, replaceableHeadPrefix } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';

/** Which parameters a fine-tuning took over and which it drew afresh. */
export interface Transfer {
  readonly weights: WeightSet;
  readonly loaded: readonly string[];
  readonly fresh: readonly string[];
}

/** Fresh seeded weights for every parameter: the scratch run of the same schedule. */
export function scratchWeights(spec: ModelSpec, seed: number): Transfer {
  const weights = initialWeights(spec, seed);
  return { weights, loaded: [], fresh: weights.map(({ name }) => name) };
}

/**
 * Encoder and decoder by name from the source (spec A7); the output layer too when its size fits and `outputLayer` is
 * "auto", else it is drawn from the seed exactly as a scratch run would. So is the whole of a head that the source lacks where
 * the network allows for it (a MedicalNet encoder). Throws MANIFEST_MISMATCH naming the tensor when another one does not fit.
 */
export function transferWeights(
  spec: ModelSpec,
  source: WeightSet,
  seed: number,
  outputLayer: 'auto' | 'fresh' = 'auto',
): Transfer {
  const byName = new Map(source.map((tensor) => [tensor.name, tensor]));
  const fresh = initialWeights(spec, seed);
  const outputPrefix = outputLayerPrefix(spec);
  const sameShape = (name: string, shape: readonly number[]): boolean => byName.get(name)?.shape.join('x') === shape.join('x');
  const output = fresh.filter(({ name }) => name.startsWith(outputPrefix));
  const keepOutput = outputLayer === 'auto' && output.every(({ name, shape }) => sameShape(name, shape));
  const head = replaceableHeadPrefix(spec);
  const lacksHead = head !== undefined && !source.some(({ name }) => name.startsWith(head));
  const loaded: string[] = [];
  const weights = fresh.map((tensor) => {
    if (tensor.name.startsWith(outputPrefix) && !keepOutput) return tensor;
    if (lacksHead && tensor.name.startsWith(head)) return tensor;
    const taken = byName.get(tensor.name);
    if (taken === undefined || !sameShape(tensor.name, tensor.shape)) throw unfit(tensor, taken);
    loaded.push(tensor.name);
    return taken;
  });
  return { weights, loaded, fresh: fresh.map(({ name }) => name).filter((name) => !loaded.includes(name)) };
}

function unfit(wanted: WeightSet[number], found: WeightSet[number] | undefined): FederationError {
  const detail =
    found === undefined
      ? `lacks the tensor ${wanted.name}`
      : `has ${wanted.name} with shape [${found.shape.join(', ')}], expected [${wanted.shape.join(', ')}]`;
  return new FederationError('MANIFEST_MISMATCH', `the start model ${detail}`, {
    remedy: 'Start from a model of the same architecture, or from scratch.',
  });
}
