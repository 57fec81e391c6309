import { FederationError } from '@consilium/shared/kernel';
import { requireSameTensors, type StoredTensor, type TensorEntry } from '@consilium/shared/weights';

/** Tensors of 8-bit integers carry their scales under their own name with this ending. */
const SCALE_SUFFIX = '#scale';

type NamedShape = Pick<TensorEntry, 'name' | 'shape'>;

/** What an update's file must hold. */
export interface UpdateShape {
  /** What is folded, in the manifest's order. */
  readonly deltas: readonly NamedShape[];
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
  readonly deltas: readonly ScaledTensor[];
  readonly controls: readonly ScaledTensor[];
}

/**
 * Finds the tensors of an update, in any mixture of number formats. Throws MANIFEST_MISMATCH naming the first one that is
 * missing, of another shape, without its scales, or not asked for.
 */
export function findUpdateTensors(stored: readonly StoredTensor[], expected: UpdateShape): UpdateTensors {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]));
  const isScale = ({ name }: StoredTensor): boolean =>
    name.endsWith(SCALE_SUFFIX) && byName.get(name.slice(0, -SCALE_SUFFIX.length))?.dtype === 'I8';
  const tensors = [...expected.deltas, ...expected.controls].map(({ name, shape }) => ({
    ...{ name, shape },
    ...{ dtype: 'F32' as const, scope: 'federated' as const },
  }));
  requireSameTensors(
    { tensors },
    stored.filter((tensor) => !isScale(tensor)),
    'the update',
  );
  const find = ({ name }: NamedShape): ScaledTensor => {
    const tensor = byName.get(name) as StoredTensor;
    return { tensor, scale: tensor.dtype === 'I8' ? scaleOf(tensor, byName.get(name + SCALE_SUFFIX)) : null };
  };
  return { deltas: expected.deltas.map(find), controls: expected.controls.map(find) };
}

/** Scales of a tensor of 8-bit integers: one per first dimension, a single one for scalars and vectors. */
export function channelCount(shape: readonly number[]): number {
  return shape.length < 2 ? 1 : (shape[0] as number);
}

function scaleOf(tensor: StoredTensor, scale: StoredTensor | undefined): StoredTensor {
  const channels = channelCount(tensor.shape);
  if (scale?.dtype === 'F32' && scale.shape.length === 1 && scale.shape[0] === channels) return scale;
  throw new FederationError('MANIFEST_MISMATCH', `the update lacks ${channels} scales for ${tensor.name}`, {
    remedy: 'Tensors of 8-bit integers need 32-bit scales, one per output channel.',
  });
}
