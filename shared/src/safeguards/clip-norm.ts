/**
 * Clipping of a whole update to a Euclidean norm: Abadi, Chu, Goodfellow, McMahan, Mironov, Talwar and Zhang, "Deep Learning with
 * Differential Privacy", CCS 2016; of whole updates McMahan, Ramage, Talwar and Zhang, "Learning Differentially Private Recurrent
 * Language Models", ICLR 2018 ("flat clipping").
 */

/**
 * An update is scaled to a little less than the norm allows, so that rounding its numbers to 32 bits (by 2^-24 of each at most)
 * cannot carry it over.
 */
const ROUNDING_ROOM = 2 ** -20;

/** What every number of an update of this norm is multiplied with; 1 where the norm is small enough. Both norms are finite. */
export function clipFactor(norm: number, clipNorm: number): number {
  const most = clipNorm * (1 - ROUNDING_ROOM);
  return norm > most ? most / norm : 1;
}
