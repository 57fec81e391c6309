import { join } from 'node:path';
import { bfloat16Obstacle } from './bfloat16-obstacle.mjs';
import { machineFacts, watchOthers } from './machine-facts.mjs';
import { toArguments, toEngineArguments } from './options.mjs';
import { median, ratio, round } from './statistics.mjs';
import { engineTaker, startsOf, TurnTaker, withSides } from './turn-taker.mjs';

/** First losses of equal work differ by no more than rounding. */
const LOSS_TOLERANCE = { f32: 1e-4, bf16: 0.02 };

/** A side whose median step took this much longer than its quickest was disturbed by other programs. */
const QUIET_SPREAD = 1.15;
/** Other programs may take this share of the machine. */
const QUIET_SHARE = 0.05;

/** One case, measured: see README.md for what the fields mean. Throws where a site would not train in the case's precision. */
export async function compareSteps(options) {
  const obstacle = bfloat16Obstacle(options);
  if (obstacle !== undefined) throw new Error(obstacle);
  return withSides(sidesOf(options), async (sides) => {
    const othersShare = watchOthers();
    const turns = await takeTurns(sides, options);
    const others = othersShare(ownSeconds(turns));
    const results = {};
    for (const side of sides) results[side.name] = summarise(turns.get(side.name), await side.ask('facts'), options);
    return report(options, sides, results, others);
  });
}

/** Ours; with `--reference` PyTorch with the same norm, and for other norms than batch also PyTorch with batch norm. */
function sidesOf(options) {
  const given = toArguments(options);
  const here = import.meta.dirname;
  const sides = [engineTaker(['--expose-gc', join(here, 'engine-step.mjs'), ...given, ...toEngineArguments(options)])];
  if (options.reference !== undefined) {
    const python = (name, norm) =>
      sides.push(new TurnTaker(name, options.reference, [join(here, 'reference_step.py'), ...given, '--norm', norm]));
    python('reference', options.norm);
    if (options.norm !== 'batch') python('referenceBatchNorm', 'batch');
  }
  return sides;
}

/** Warm-up and counted steps; who goes first changes with every round. */
async function takeTurns(sides, { steps, warmup }) {
  const turns = new Map(sides.map(({ name }) => [name, []]));
  for (let round = 0; round < warmup + steps; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) turns.get(side.name).push(await side.ask('step'));
  }
  return turns;
}

function summarise(turns, { peakRssMiB }, { warmup }) {
  const counted = turns.slice(warmup);
  const of = (field) => counted.map((turn) => turn[field]);
  return {
    medianSeconds: round(median(of('seconds'))),
    minSeconds: round(Math.min(...of('seconds'))),
    processorSeconds: round(median(of('processorSeconds'))),
    idleProcessorSeconds: round(median(of('idleProcessorSeconds'))),
    firstStepSeconds: round(turns[0].seconds),
    peakRssMiB,
    losses: turns.slice(0, 3).map(({ loss }) => round(loss, 6)),
  };
}

function report({ reference: _, ...options }, sides, { ours, reference, referenceBatchNorm }, othersShare) {
  const beside = (name) => ratio(ours[name], reference?.[name]);
  return {
    stepRatio: beside('medianSeconds'),
    rssRatio: beside('peakRssMiB'),
    minRatio: beside('minSeconds'),
    processorRatio: beside('processorSeconds'),
    ...(options.norm === 'batch'
      ? {}
      : {
          stepRatioToBatchNorm: ratio(ours.medianSeconds, referenceBatchNorm?.medianSeconds),
          rssRatioToBatchNorm: ratio(ours.peakRssMiB, referenceBatchNorm?.peakRssMiB),
        }),
    sameWork: reference === undefined ? null : sameWork(options, sides, ours, reference),
    disturbed: othersShare > QUIET_SHARE || [ours, reference ?? ours].some(isSpread),
    othersShare,
    ours,
    reference: reference ?? null,
    ...(referenceBatchNorm === undefined ? {} : { referenceBatchNorm }),
    starts: startsOf(sides),
    case: options,
    machine: machineFacts(),
  };
}

function isSpread({ medianSeconds, minSeconds }) {
  return medianSeconds > QUIET_SPREAD * minSeconds;
}

function ownSeconds(turns) {
  return [...turns.values()].flat().reduce((sum, turn) => sum + turn.processorSeconds + turn.idleProcessorSeconds, 0);
}

/** The same number of parameters, and the same loss from the same weights and data. */
function sameWork({ precision }, sides, ours, reference) {
  const [mine, theirs] = ['ours', 'reference'].map((name) => sides.find((side) => side.name === name).facts.parameters);
  const apart = Math.abs(ours.losses[0] - reference.losses[0]) / reference.losses[0];
  return mine === theirs && apart <= LOSS_TOLERANCE[precision];
}
