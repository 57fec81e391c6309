import type { Digest, DigestAlgorithm } from '@consilium/shared/kernel';
import { elementCount, encodeHeader, type Manifest, SafetensorsFile, writeFileWhole } from '@consilium/shared/weights';

/** Elements worked on between two pauses of the event loop: about a millisecond of arithmetic. */
const RANGE_ELEMENTS = 1 << 20;

export interface ShiftedUpdate {
  readonly basePath: string;
  readonly updatePath: string;
  /** The tensors that the update holds, in this order. */
  readonly manifest: Manifest;
  /** What is added to every weight. */
  readonly shift: number;
  readonly metadata: Readonly<Record<string, string>>;
  readonly algorithm: DigestAlgorithm;
  readonly signal: AbortSignal;
}

/**
 * Writes the update of a site whose training added one number to every weight: trained = base + shift, rounded once to 32 bits,
 * and delta = trained − base, rounded likewise. Reads and writes range by range: memory does not grow with the model.
 */
export async function writeShiftedUpdate(order: ShiftedUpdate): Promise<{ digest: Digest; bytes: number }> {
  const entries = order.manifest.tensors.map(({ name, shape }) => ({ name, shape, dtype: 'F32' as const }));
  const { bytes: head, header } = encodeHeader(entries, order.metadata);
  const base = await SafetensorsFile.open(order.basePath);
  try {
    const digest = await writeFileWhole(order.updatePath, parts(order, base, head), order.algorithm);
    return { digest, bytes: header.fileBytes };
  } finally {
    await base.close();
  }
}

async function* parts({ manifest, shift, signal }: ShiftedUpdate, base: SafetensorsFile, head: Uint8Array) {
  yield head;
  const counts = manifest.tensors.map(({ shape }) => elementCount(shape));
  const scratch = new Float32Array(Math.min(RANGE_ELEMENTS, Math.max(...counts)));
  for (const [index, { name }] of manifest.tensors.entries()) {
    const count = counts[index] ?? 0;
    for (let from = 0; from < count; from += RANGE_ELEMENTS) {
      signal.throwIfAborted();
      const values = await base.read(name, from, Math.min(from + RANGE_ELEMENTS, count), scratch);
      replaceByDelta(values, shift);
      yield new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    }
  }
}

/** Each value v becomes (v + shift) − v, each operation rounded to 32 bits. */
export function replaceByDelta(values: Float32Array, shift: number): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number;
    values[i] = Math.fround(value + shift) - value;
  }
}
