import { initialWeights, manifestOf, type ModelSpec } from '@consilium/shared/models';
import { encodeElements, encodeHeader } from '@consilium/shared/weights';
import { weightFileMetadata } from './weight-file-metadata.js';

/** The bytes of version 1: seeded initial weights, the same for the same model spec and seed on every machine. */
export async function* initialVersion(spec: ModelSpec, seed: number): AsyncGenerator<Uint8Array> {
  yield encodeHeader(manifestOf(spec).tensors, weightFileMetadata(spec, 1)).bytes;
  for (const { values } of initialWeights(spec, seed)) yield encodeElements(values, 'F32');
}
