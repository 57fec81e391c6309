/**
 * One pair of Models Genesis, 64×64×32, all transforms, on one core: the mean over many drawings, for whether a drawing
 * shuffles and bends the intensities decides its cost. The reference does the same in Python, turn by turn. Both figures are
 * processor time of all threads, garbage collection included: what one core of a machine without other work would take.
 */
import { join } from 'node:path';
import { round } from '../statistics.mjs';
import { TurnTaker, withSides } from '../turn-taker.mjs';

export const name = 'genesis-pair';
export const unit = 'ms';
export const needs = ['numpy', 'scipy'];
export const target = { most: 4, mostRatio: 0.05 };

const TURNS = 10;
const PAIRS = { ours: 200, reference: 30 };
/** Turns that do not count: compilers warm up. */
const WARM_UP = 1;

export async function measure({ python }) {
  const here = join(import.meta.dirname, '..');
  const sides = [new TurnTaker('ours', process.execPath, [join(here, 'genesis-pairs.mjs')])];
  if (python !== undefined) sides.push(new TurnTaker('reference', python, [join(here, 'reference_genesis.py')]));
  return withSides(sides, async () => {
    const turns = new Map(sides.map((side) => [side.name, []]));
    for (let turn = 0; turn < WARM_UP + TURNS; turn++) {
      for (const side of sides) turns.get(side.name).push(await side.ask(`pairs ${PAIRS[side.name]}`));
    }
    const [ours, reference] = [meanMs('ours', turns), meanMs('reference', turns)];
    return {
      ours: ours.processor,
      reference: reference?.processor,
      pairs: { ours: TURNS * PAIRS.ours, ...(reference && { reference: TURNS * PAIRS.reference }) },
      wallMs: { ours: ours.wall, ...(reference && { reference: reference.wall }) },
      engines: sides.map(({ facts }) => facts.engine),
    };
  });
}

function meanMs(name, turns) {
  const counted = turns.get(name)?.slice(WARM_UP);
  if (counted === undefined) return undefined;
  const mean = (field) => (counted.reduce((sum, turn) => sum + turn[field], 0) / TURNS / PAIRS[name]) * 1000;
  return { wall: round(mean('seconds')), processor: mean('processorSeconds') };
}
