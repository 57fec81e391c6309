import { Random } from '@consilium/shared/kernel';
import type { Balance } from './labelled-recipe.js';

/** A step's place among the steps of its collection. */
export interface Turn {
  readonly collection: number;
  /** How many turns the collection had before, so that its batches do not depend on the others'. */
  readonly place: number;
}

/** Whose turn each step is, drawn from the seed; the first steps are the same however many follow. */
export function drawTurns(cases: readonly number[], steps: number, balance: Balance, seed: number): Turn[] {
  const random = new Random(`labelled-pretraining/${seed}/turns`);
  const weights = cases.map((count) => weightOf(count, balance));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const places = cases.map(() => 0);
  return Array.from({ length: steps }, () => {
    const collection = pick(weights, random.uniform() * total);
    const place = places[collection] ?? 0;
    places[collection] = place + 1;
    return { collection, place };
  });
}

function weightOf(cases: number, balance: Balance): number {
  switch (balance) {
    case 'equal':
      return 1;
    case 'cases':
      return cases;
    case 'square-root':
      return Math.sqrt(cases);
  }
}

function pick(weights: readonly number[], at: number): number {
  let left = at;
  const found = weights.findIndex((weight) => (left -= weight) < 0);
  return found < 0 ? weights.length - 1 : found; // rounding may leave a rest
}
