/**
 * Rounds of federated averaging whose updates and versions are differences in a number format with error feedback, written down a
 * second time and independent of the program's own code: rounding is done by arithmetic, not on the bits of the result.
 */

/** Added to and taken from a smaller double, it leaves the nearest integer, ties to even. */
const NEAREST = 1.5 * 2 ** 52;
const FLOATS = { f16: { fraction: 10, smallest: -14 }, bf16: { fraction: 7, smallest: -126 } };
/** Channels of more elements come down in bf16 where int8 is asked for. */
const LONGEST_CHANNEL = 1 << 16;

/**
 * All rounds of one channel: site k trains to v + shift and delivers q(difference + what rounding took from it before); the
 * coordinator takes the weighted mean in 64 bits in the order of the sites, and moves v by q(change + what rounding took).
 * @param {Float32Array} weights  changed in place
 * @param {readonly (readonly { site: string, shift: number, weight: number }[])[]} rounds  by the order of the names of the sites
 * @param {'f16' | 'bf16' | 'int8'} format
 */
export function averageByDeltas(weights, rounds, format) {
  const down = format === 'int8' && weights.length > LONGEST_CHANNEL ? 'bf16' : format;
  const lostAt = new Map();
  const lost = new Float32Array(weights.length);
  for (const sites of rounds) {
    const total = sites.reduce((sum, { weight }) => sum + weight, 0);
    const sums = new Float64Array(weights.length);
    for (const { site, shift, weight } of sites) {
      const lostHere = lostAt.get(site) ?? new Float32Array(weights.length);
      lostAt.set(site, lostHere);
      const whole = weights.map((value, i) => Math.fround(Math.fround(value + shift) - value) + lostHere[i]);
      const sent = rounded(whole, format);
      for (let i = 0; i < sums.length; i++) sums[i] += weight * sent[i];
      lostHere.set(whole.map((value, i) => value - sent[i]));
    }
    const change = weights.map((value, i) => Math.fround(value + sums[i] / total) - value + lost[i]);
    const sent = rounded(change, down);
    lost.set(change.map((value, i) => value - sent[i]));
    weights.set(weights.map((value, i) => value + sent[i]));
  }
}

/** What a reader finds of one channel written in the format. */
export function rounded(values, format) {
  return format === 'int8' ? asIntegers(values) : asFloats(values, FLOATS[format]);
}

function asFloats(values, { fraction, smallest }) {
  const exponents = new Uint32Array(values.buffer, values.byteOffset, values.length).map((bits) => (bits >>> 23) & 255);
  return values.map((value, i) => {
    const unit = 2 ** (Math.max(exponents[i] - 127, smallest) - fraction);
    return (value / unit + NEAREST - NEAREST) * unit;
  });
}

function asIntegers(values) {
  const scale = Math.fround(values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
  return values.map((value) => {
    const integer = scale === 0 ? 0 : value / scale + NEAREST - NEAREST;
    return Math.max(-127, Math.min(127, integer)) * scale;
  });
}
