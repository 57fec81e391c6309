import { join } from 'node:path';
import { machineFacts, watchOthers } from './machine-facts.mjs';
import { toArguments, toEngineArguments } from './options.mjs';
import { median, ratio, round } from './statistics.mjs';
import { engineTaker, startsOf, TurnTaker, withSides } from './turn-taker.mjs';

/** Windows of one turn: divisible by every batch of windows that is tried. */
const WINDOWS_PER_TURN = 4;
const BATCHES_TRIED = [1, 2, 4];
/** The first round warms up. */
const ROUNDS_TRIED = 3;
/** Other programs may take this share of the machine. */
const QUIET_SHARE = 0.05;
/** Means of the answers: windows of one batch share their statistics with batch norm. */
const MEAN_TOLERANCE = { alone: 1e-4, together: 1e-2 };

/** A whole volume by sliding windows on both sides, in turns: see README.md for what the fields mean. */
export async function compareInference(options) {
  const windowsPerBatch = await quickestBatch(options);
  return withSides(sidesOf(options, windowsPerBatch), async (sides) => {
    const watched = watchOthers();
    const { ours, reference } = await takeTurns(sides);
    const othersShare = watched(ours.processorSeconds + (reference?.processorSeconds ?? 0));
    return {
      secondsRatio: ratio(ours.seconds, reference?.seconds),
      turnRatio: ratio(ours.medianTurnSeconds, reference?.medianTurnSeconds),
      rssRatio: ratio(ours.peakRssMiB, reference?.peakRssMiB),
      processorRatio: ratio(ours.processorSeconds, reference?.processorSeconds),
      sameWork: reference === undefined ? null : sameWork(ours, reference, windowsPerBatch),
      disturbed: othersShare > QUIET_SHARE,
      othersShare,
      ours,
      reference: reference ?? null,
      starts: startsOf(sides),
      case: { ...options, overlap: 0.5, blending: 'mean', windowsPerTurn: WINDOWS_PER_TURN },
      machine: machineFacts(),
    };
  });
}

function sameWork(ours, reference, windowsPerBatch) {
  const tolerance = windowsPerBatch === 1 ? MEAN_TOLERANCE.alone : MEAN_TOLERANCE.together;
  return Math.abs(ours.mean - reference.mean) <= tolerance * reference.mean;
}

function sidesOf(options, windowsPerBatch) {
  const program = join(import.meta.dirname, 'engine-inference.mjs');
  const given = [...toArguments(options), '--volume', options.volume, ...toEngineArguments(options)];
  const ours = engineTaker([program, ...given]);
  return windowsPerBatch === undefined ? [ours] : [ours, referenceSide(options, windowsPerBatch)];
}

function referenceSide(options, windowsPerBatch) {
  const program = join(import.meta.dirname, 'reference_inference.py');
  const given = [...toArguments(options), '--volume', options.volume, '--windows-per-batch', String(windowsPerBatch)];
  return new TurnTaker('reference', options.reference, [program, ...given]);
}

/** PyTorch's best number of windows in a batch: the candidates in turns, the best turn of each. Ours is what the product does. */
async function quickestBatch(options) {
  if (options.reference === undefined) return undefined;
  if (options['windows-per-batch'] !== undefined) return Number(options['windows-per-batch']);
  const candidates = BATCHES_TRIED.map((count) => referenceSide(options, count));
  return withSides(candidates, async (sides) => {
    const quickest = sides.map(() => Infinity);
    for (let round = 0; round < ROUNDS_TRIED; round++) {
      for (const [index, side] of sides.entries()) {
        const { seconds } = await side.ask(`windows ${WINDOWS_PER_TURN}`);
        quickest[index] = Math.min(quickest[index], seconds);
      }
    }
    return BATCHES_TRIED[quickest.indexOf(Math.min(...quickest))];
  });
}

async function takeTurns(sides) {
  const turns = new Map(sides.map(({ name }) => [name, []]));
  const rounds = Math.ceil(sides[0].facts.windows / WINDOWS_PER_TURN);
  for (let round = 0; round < rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed())
      turns.get(side.name).push(await side.ask(`windows ${WINDOWS_PER_TURN}`));
  }
  const results = {};
  for (const side of sides) results[side.name] = summarise(turns.get(side.name), await side.ask('facts'));
  return results;
}

function summarise(turns, facts) {
  const sum = (field) => turns.reduce((total, turn) => total + turn[field], 0);
  return {
    seconds: round(sum('seconds'), 2),
    medianTurnSeconds: round(median(turns.map(({ seconds }) => seconds))),
    processorSeconds: round(sum('processorSeconds'), 2),
    ...facts,
  };
}
