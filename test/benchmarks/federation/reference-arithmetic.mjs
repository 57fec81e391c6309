/**
 * What a round of federated averaging must do to a range of weights, written down a second time and independent of the program's
 * own code. Every site adds its shift to each weight v and delivers the difference, both rounded to 32 bits; the weighted mean of
 * the differences is summed in 64 bits in the order of the sites, divided once, added to v and rounded once to 32 bits.
 * @param {Float32Array} weights  changed in place
 * @param {readonly { shift: number, weight: number }[]} sites  in the order of their names
 */
export function averageRound(weights, sites) {
  const total = sites.reduce((sum, { weight }) => sum + weight, 0);
  for (let i = 0; i < weights.length; i++) {
    const value = weights[i];
    let sum = 0;
    for (const { shift, weight } of sites) sum += weight * Math.fround(Math.fround(value + shift) - value);
    weights[i] = value + sum / total;
  }
}
