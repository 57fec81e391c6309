import type { Digest } from '@consilium/shared/kernel';
import { encodeTensorElements } from '../number-format.js';
import { writeFileWhole } from '../safetensors-file.js';
import type { WeightTensor } from '../weight-set.js';
import { type SavedDict, SavedTensor, writePickle } from './pickle-writer.js';
import { zipArchive } from './zip-writer.js';

/** Formats in which a checkpoint of ours may hold weights. */
const STORAGES = { F32: 'FloatStorage', F16: 'HalfStorage', BF16: 'BFloat16Storage' } as const;

export interface CheckpointTensor extends WeightTensor {
  /** A counter: one 64-bit integer per element. */
  readonly isCounter?: boolean;
}

export interface CheckpointContent {
  readonly tensors: readonly CheckpointTensor[];
  readonly dtype: keyof typeof STORAGES;
  /** What is saved, given the dict of the tensors. */
  readonly root: (state: SavedDict) => SavedDict;
}

/**
 * Writes a checkpoint that torch.load reads with `weights_only=True`: PyTorch's archive with a pickle that builds nothing but dicts
 * and tensors. The file appears whole or not at all; equal content gives equal bytes.
 */
export async function writePytorchCheckpoint(
  path: string,
  { tensors, dtype, root }: CheckpointContent,
): Promise<{ digest: Digest; bytes: number }> {
  const entries = tensors.map(({ name, shape, isCounter }, index) => {
    const storage = isCounter === true ? 'LongStorage' : STORAGES[dtype];
    return [name, new SavedTensor(String(index), storage, shape)] as const;
  });
  const members = [
    { name: 'archive/data.pkl', content: () => writePickle(root({ entries })) },
    { name: 'archive/byteorder', content: () => Buffer.from('little') },
    ...tensors.map((tensor, index) => ({ name: `archive/data/${index}`, content: () => elementsOf(tensor, dtype) })),
    { name: 'archive/version', content: () => Buffer.from('3\n') },
  ];
  let bytes = 0;
  const counted = function* (): Generator<Uint8Array> {
    for (const part of zipArchive(members)) {
      bytes += part.byteLength;
      yield part;
    }
  };
  const digest = await writeFileWhole(path, counted());
  return { digest, bytes };
}

function elementsOf(tensor: CheckpointTensor, dtype: keyof typeof STORAGES): Uint8Array {
  if (tensor.isCounter !== true) return encodeTensorElements(tensor, dtype);
  const counters = BigInt64Array.from(tensor.values, (value) => BigInt(value));
  return new Uint8Array(counters.buffer);
}
