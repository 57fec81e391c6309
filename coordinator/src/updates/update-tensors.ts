import { FederationError } from '@consilium/shared/kernel';
import { requireSameTensors, scaleCount, scaleNameOf, type StoredTensor, type TensorEntry } from '@consilium/shared/weights';

type NamedShape = Pick<TensorEntry, 'name' | 'shape'>;

/** What an update's file must hold. */
export interface UpdateShape {
  /** What is folded, in the manifest's order. */
  readonly deltas: readonly NamedShape[];
  /** Names of deltas that the file may lack, all of them or none. */
  readonly mayLack?: readonly string[] | undefined;
  /** Control variates that come with it (SCAFFOLD), under the names that they have in the file. */
  readonly controls: readonly NamedShape[];
}

/** A tensor with its scales where it has them. */
export interface ScaledTensor {
  readonly tensor: StoredTensor;
  readonly scale: StoredTensor | null;
}

/** An update's tensors in the manifest's order. */
export interface UpdateTensors {
  /** Null for one that it lacks and may lack. */
  readonly deltas: readonly (ScaledTensor | null)[];
  readonly controls: readonly ScaledTensor[];
}

/**
 * Finds the tensors of an update, in any mixture of number formats. Throws MANIFEST_MISMATCH naming the first one that is
 * missing, of another shape, without its scales, or not asked for.
 */
export function findUpdateTensors(stored: readonly StoredTensor[], expected: UpdateShape): UpdateTensors {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]));
  const scales = new Set(stored.flatMap(({ name, dtype }) => (dtype === 'I8' ? [scaleNameOf(name)] : [])));
  const { mayLack = [] } = expected;
  const absent = new Set(mayLack.some((name) => byName.has(name)) ? [] : mayLack);
  const present = expected.deltas.filter(({ name }) => !absent.has(name));
  const tensors = [...present, ...expected.controls].map(({ name, shape }) => ({
    name,
    shape,
    dtype: 'F32' as const,
    scope: 'federated' as const,
  }));
  requireSameTensors(
    { tensors },
    stored.filter(({ name }) => !scales.has(name)),
    'the update',
  );
  const find = ({ name }: NamedShape): ScaledTensor => {
    const tensor = byName.get(name) as StoredTensor;
    return { tensor, scale: tensor.dtype === 'I8' ? scaleOf(tensor, byName.get(scaleNameOf(name))) : null };
  };
  return {
    deltas: expected.deltas.map((delta) => (absent.has(delta.name) ? null : find(delta))),
    controls: expected.controls.map(find),
  };
}

function scaleOf(tensor: StoredTensor, scale: StoredTensor | undefined): StoredTensor {
  const channels = scaleCount(tensor.shape);
  if (scale?.dtype === 'F32' && scale.shape.length === 1 && scale.shape[0] === channels) return scale;
  throw new FederationError('MANIFEST_MISMATCH', `the update lacks ${channels} scales for ${tensor.name}`, {
    remedy: 'Tensors of 8-bit integers need 32-bit scales, one per output channel.',
  });
}
