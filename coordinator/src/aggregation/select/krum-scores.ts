/**
 * Krum: Blanchard, El Mhamdi, Guerraoui and Stainer, "Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent",
 * NeurIPS 2017, section 4. An update's score is the sum of its squared distances to the n − f − 2 updates that are closest to it;
 * the lower, the more the others agree with it. The paper asks for n ≥ 2f + 3; with fewer updates a score counts at least one
 * neighbour, and the paper's guarantee does not hold.
 */
import type { PairDistances } from './pair-distances.js';

/** One score for each update. */
export function krumScores(distances: PairDistances, byzantine: number): number[] {
  const neighbours = Math.max(1, distances.updates - byzantine - 2);
  const places = Array.from({ length: distances.updates }, (_, index) => index);
  return places.map((own) => {
    const others = places.filter((other) => other !== own).map((other) => distances.between(own, other));
    return others
      .sort((a, b) => a - b)
      .slice(0, neighbours)
      .reduce((sum, distance) => sum + distance, 0);
  });
}

/** The places of the updates with the lowest scores, in site order; of equal ones the first in site order. */
export function lowestScores(scores: readonly number[], kept: number): number[] {
  return scores
    .map((score, place) => ({ score, place }))
    .sort((a, b) => a.score - b.score || a.place - b.place)
    .slice(0, kept)
    .map(({ place }) => place)
    .sort((a, b) => a - b);
}
