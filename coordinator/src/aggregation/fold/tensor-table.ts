import { FederationError } from '@consilium/shared/kernel';
import {
  elementCount,
  type SafetensorsFile,
  scaleCount,
  scaleNameOf,
  type TensorDtype,
  type TensorEntry,
} from '@consilium/shared/weights';

/** Where the tensors of one open file lie, by their place in the manifest: plain data that a thread can be given. */
export interface TensorTable {
  readonly descriptor: number;
  /** Bytes from the start of the file; NaN for a tensor that the file is not asked for. */
  readonly starts: Float64Array;
  readonly dtypes: readonly TensorDtype[];
  /** Present for I8. */
  readonly scales: readonly (Float32Array | undefined)[];
}

/**
 * The places of the tensors that stand as `prefix + name` in the file; WEIGHTS_MALFORMED when one is not there, MANIFEST_MISMATCH
 * when it has another number of elements. `null` in the list stands for a tensor that is not asked for.
 */
export async function tableOf(
  file: SafetensorsFile,
  tensors: readonly (Pick<TensorEntry, 'name' | 'shape'> | null)[],
  prefix = '',
): Promise<TensorTable> {
  const starts = new Float64Array(tensors.length).fill(Number.NaN);
  const dtypes: TensorDtype[] = [];
  const scales: (Float32Array | undefined)[] = [];
  for (const [place, tensor] of tensors.entries()) {
    if (tensor !== null) starts[place] = requireTensor(file, prefix + tensor.name, tensor.shape).start;
    const dtype = tensor === null ? 'F32' : file.tensor(prefix + tensor.name).dtype;
    dtypes.push(dtype);
    scales.push(tensor !== null && dtype === 'I8' ? await readScales(file, prefix + tensor.name, tensor.shape) : undefined);
  }
  return { descriptor: file.descriptor, starts, dtypes, scales };
}

function requireTensor(file: SafetensorsFile, name: string, shape: readonly number[]): { readonly start: number } {
  const tensor = file.tensor(name);
  if (elementCount(tensor.shape) === elementCount(shape)) return tensor;
  throw new FederationError('MANIFEST_MISMATCH', `a weight file to be folded has ${name} in another shape`, {
    remedy: 'The weights belong to another model spec; check the campaign and the model width, norm and outputs.',
  });
}

async function readScales(file: SafetensorsFile, name: string, shape: readonly number[]): Promise<Float32Array> {
  const scaleName = scaleNameOf(name);
  requireTensor(file, scaleName, [scaleCount(shape)]);
  return file.read(scaleName);
}
