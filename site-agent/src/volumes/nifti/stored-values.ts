/** Views of stored voxels in this machine's byte order. */
export type StoredValues =
  | Uint8Array
  | Int8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

/** value = stored · slope + intercept. */
export interface Scaling {
  readonly slope: number;
  readonly intercept: number;
}

/**
 * Writes stored · slope + intercept, computed in 64 bits and rounded once to 32. Types that 32-bit floats hold exactly are
 * converted in bulk first, which is much faster than one by one.
 */
export function scaleInto(
  target: Float32Array,
  at: number,
  stored: StoredValues,
  from: number,
  count: number,
  scaling: Scaling,
): void {
  const { slope, intercept } = scaling;
  const plain = slope === 1 && intercept === 0;
  if (stored instanceof BigInt64Array || stored instanceof BigUint64Array) {
    for (let n = 0; n < count; n++) target[at + n] = Number(stored[from + n]) * slope + intercept;
  } else if (plain || isExactInFloat32(stored)) {
    target.set(stored.subarray(from, from + count), at);
    if (!plain) scaleFloats(target, at, count, slope, intercept);
  } else {
    scaleWide(target, at, stored, from, count, scaling);
  }
}

function isExactInFloat32(stored: StoredValues): boolean {
  return stored.BYTES_PER_ELEMENT <= 2 || stored instanceof Float32Array;
}

function scaleFloats(values: Float32Array, at: number, count: number, slope: number, intercept: number): void {
  for (let n = at; n < at + count; n++) values[n] = (values[n] as number) * slope + intercept;
}

function scaleWide(
  target: Float32Array,
  at: number,
  stored: ArrayLike<number>,
  from: number,
  count: number,
  { slope, intercept }: Scaling,
): void {
  for (let n = 0; n < count; n++) target[at + n] = (stored[from + n] as number) * slope + intercept;
}
