import { median, round } from './statistics.mjs';
import { TurnTaker, withSides } from './turn-taker.mjs';

const TURNS = 9;
/** Turns that do not count: compilers warm up, threads start, files come into memory. */
const WARM_UP = 2;

/**
 * Two programs that load the same scan, in turns; both must come to the same voxels. `ours` are the arguments of Node,
 * `reference` those of Python, left out without one. Milliseconds of the middle turn.
 */
export async function compareLoads({ name, ours, reference, python }) {
  const sides = [new TurnTaker('ours', process.execPath, ours)];
  if (python !== undefined) sides.push(new TurnTaker('reference', python, reference));
  return withSides(sides, async () => {
    const turns = Object.fromEntries(sides.map((side) => [side.name, []]));
    for (let turn = 0; turn < WARM_UP + TURNS; turn++) {
      for (const side of sides) turns[side.name].push(await side.ask('load'));
    }
    requireSameVoxels(
      name,
      sides.map((side) => turns[side.name][0]),
    );
    const middle = (side, field) => median(turns[side].slice(WARM_UP).map((turn) => turn[field])) * 1000;
    const each = (field) => Object.fromEntries(sides.map((side) => [side.name, round(middle(side.name, field), 1)]));
    return {
      ours: middle('ours', 'seconds'),
      reference: python === undefined ? undefined : middle('reference', 'seconds'),
      processorMs: each('processorSeconds'),
      engines: sides.map(({ facts }) => facts.engine),
    };
  });
}

function requireSameVoxels(name, turns) {
  const [ours, reference = ours] = turns.map(({ digest }) => digest);
  if (ours !== reference) throw new Error(`${name}: voxels differ, ${ours} and ${reference}`);
}
