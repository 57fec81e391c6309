/** base + delta, rounded once to 32 bits. */
export function applyDelta(base: Float32Array, delta: Float64Array): Float32Array {
  const next = new Float32Array(base.length);
  for (let i = 0; i < next.length; i++) next[i] = (base[i] as number) + (delta[i] as number);
  return next;
}
