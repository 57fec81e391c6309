/** Several sets of tensors in one file, told apart by how their names begin. */
import { createHash } from 'node:crypto';
import { type Digest, finishDigest } from '@consilium/shared/kernel';
import { encodeElements, type WeightSet } from '@consilium/shared/weights';

export function prefixed(prefix: string, tensors: WeightSet): WeightSet {
  return tensors.map((tensor) => ({ ...tensor, name: prefix + tensor.name }));
}

/** Those whose names begin so, under the rest of their names. */
export function withPrefix(prefix: string, tensors: WeightSet): WeightSet {
  return tensors
    .filter(({ name }) => name.startsWith(prefix))
    .map((tensor) => ({ ...tensor, name: tensor.name.slice(prefix.length) }));
}

/** Names, shapes and values: a file's header is checked by its codec, this finds altered values. */
export function digestOfTensors(tensors: WeightSet): Digest {
  const hash = createHash('sha256');
  for (const { name, shape, values } of tensors) hash.update(`${name}:${shape.join('x')};`).update(encodeElements(values, 'F32'));
  return finishDigest(hash);
}
