import { FederationError, invariant } from '@consilium/shared/kernel';

/**
 * What a round does with a tensor: it is averaged over the sites, kept by each site (for example running statistics), or it stands
 * still because the round trains another part of the model.
 */
export type ParameterScope = 'federated' | 'site-local' | 'still';

/** Element types a weight file may hold; arithmetic is always in f32 or f64. I8 means nothing without its scales. */
export type TensorDtype = 'F32' | 'F16' | 'BF16' | 'I8';

/** One tensor of a model, in PyTorch's own layout (convolution [out, in, depth, height, width]). */
export interface TensorEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: TensorDtype;
  readonly scope: ParameterScope;
}

/** The ordered parameter list of a model: the one thing a coordinator knows about it. */
export interface Manifest {
  readonly tensors: readonly TensorEntry[];
}

/** Number of elements of a shape; a scalar (empty shape) has one. */
export function elementCount(shape: readonly number[]): number {
  // A product beyond all numbers times zero would be no number.
  return shape.includes(0) ? 0 : shape.reduce((product, side) => product * side, 1);
}

/** All elements of all tensors. */
export function parameterCount(manifest: Manifest): number {
  return manifest.tensors.reduce((sum, tensor) => sum + elementCount(tensor.shape), 0);
}

/** Only the tensors that the sites send and that are averaged, in the manifest's order. */
export function federatedPart(manifest: Manifest): Manifest {
  return { tensors: manifest.tensors.filter((tensor) => tensor.scope === 'federated') };
}

/** Only the tensors that each site keeps for itself, in the manifest's order. */
export function siteLocalPart(manifest: Manifest): Manifest {
  return { tensors: manifest.tensors.filter((tensor) => tensor.scope === 'site-local') };
}

/** Throws MANIFEST_MISMATCH naming the first tensor that is missing, extra or of another shape; order and dtype are free. */
export function requireSameTensors(
  expected: Manifest,
  actual: readonly { name: string; shape: readonly number[] }[],
  what: string,
): void {
  const shapes = new Map(actual.map((tensor) => [tensor.name, tensor.shape]));
  invariant(shapes.size === actual.length, 'a weight file names each tensor once');
  for (const tensor of expected.tensors) {
    const shape = shapes.get(tensor.name);
    if (shape === undefined) throw mismatch(what, `lacks the tensor ${tensor.name}`);
    if (shape.join('x') !== tensor.shape.join('x')) {
      throw mismatch(what, `has ${tensor.name} with shape [${shape.join(', ')}], expected [${tensor.shape.join(', ')}]`);
    }
    shapes.delete(tensor.name);
  }
  const [extra] = shapes.keys();
  if (extra !== undefined) throw mismatch(what, `holds the unexpected tensor ${extra}`);
}

function mismatch(what: string, detail: string): FederationError {
  return new FederationError('MANIFEST_MISMATCH', `${what} ${detail}`, {
    remedy: 'The weights belong to another model spec; check the campaign and the model width, norm and outputs.',
  });
}
