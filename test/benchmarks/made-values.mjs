/**
 * Numbers that look random and are the same in TypeScript and in Python (`made_values` in reference_networks.py), so that
 * both sides start from the same weights and data: equal first losses then prove that both do the same work.
 */

/** Value i of stream s, uniform in [0, 1): the finaliser of MurmurHash3 over i and s, 24 bits of it. */
export function madeValues(stream, count) {
  const values = new Float32Array(count);
  const offset = Math.imul(stream + 1, 0x9e3779b1);
  for (let i = 0; i < count; i++) {
    let bits = (i + offset) | 0;
    bits = Math.imul(bits ^ (bits >>> 16), 0x85ebca6b);
    bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
    values[i] = ((bits ^ (bits >>> 16)) >>> 8) / 0x1000000;
  }
  return values;
}

/** Weights of a manifest: kernels uniform in ±1/√fan-in (stream: their position), norm scales 1, everything else 0. */
export function madeWeights(manifest) {
  return manifest.tensors.map(({ name, shape }, position) => {
    const count = shape.reduce((product, side) => product * side, 1);
    const ones = name.endsWith('weight') || name.endsWith('running_var');
    if (shape.length < 2) return { name, shape, values: new Float32Array(count).fill(ones ? 1 : 0) };
    const bound = 1 / Math.sqrt(count / shape[0]);
    const values = madeValues(kernelStream(manifest, position), count);
    for (let i = 0; i < count; i++) values[i] = (2 * values[i] - 1) * bound; // in place: a copy would weigh on peak memory
    return { name, shape, values };
  });
}

/** Kernels count from 2 on in the order of registration; streams 0 and 1 are the input and the target. */
function kernelStream({ tensors }, position) {
  return 2 + tensors.slice(0, position).filter(({ shape }) => shape.length >= 2).length;
}
