import { FederationError } from '@consilium/shared/kernel';
import { elementCount, requireSameTensors, type StoredTensor, type TensorEntry } from '@consilium/shared/weights';

/** Tensors of 8-bit integers carry their scales, one per output channel, under their own name with this ending. */
const SCALE_SUFFIX = '#scale';

/** Control variates of SCAFFOLD travel in the update's file, each under the name of its parameter with this beginning. */
const CONTROL_PREFIX = 'control/';

type NamedShape = Pick<TensorEntry, 'name' | 'shape'>;

/** What an update's file must hold. */
export interface UpdateShape {
  /** The federated tensors, in the manifest's order. */
  readonly tensors: readonly NamedShape[];
  /** True where every federated tensor comes with its control variate. */
  readonly hasControls: boolean;
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
  const controls = expected.hasControls
    ? expected.tensors.map(({ name, shape }) => ({ name: CONTROL_PREFIX + name, shape }))
    : [];
  const tensors = [...expected.tensors, ...controls].map((tensor) => ({
    ...tensor,
    dtype: 'F32' as const,
    scope: 'federated' as const,
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
  return { deltas: expected.tensors.map(find), controls: controls.map(find) };
}

/** Output channels of a shape: its first side. A single number is one channel. */
export function channelCount(shape: readonly number[]): number {
  return shape[0] ?? 1;
}

function scaleOf(tensor: StoredTensor, scale: StoredTensor | undefined): StoredTensor {
  const channels = channelCount(tensor.shape);
  if (scale?.dtype === 'F32' && elementCount(scale.shape) === channels && scale.shape.length === 1) return scale;
  throw new FederationError('MANIFEST_MISMATCH', `the update lacks ${channels} scales for ${tensor.name}`, {
    remedy: 'Tensors of 8-bit integers need one 32-bit scale per output channel.',
  });
}
