/** How a training step fits into the memory that there is, decided before it begins. */
import { FederationError, formatBytes } from '@consilium/shared/kernel';
import type { MemoryUse } from '../engine/tape.js';
import { buildNetwork } from '../networks/build-network.js';
import { type ForeseenStep, foreseeStep, type StepForecast } from './foresee-step.js';

/** The step as planned, before memory is looked at. */
export type PlannedStep = Omit<ForeseenStep, 'memory' | 'patchesPerPass'>;

export interface MemoryBudget {
  /** What this process may come to in all. */
  readonly limitBytes: number;
  /** Where that limit comes from, in words: "(memoryLimit)". */
  readonly limitOrigin: string;
  /** What it holds already, and what it will hold beside steps: library, volumes, weights, batch threads. */
  readonly heldBytes: number;
  /** Of these, what answering for a whole volume takes. */
  readonly volumeBytes?: number | undefined;
  /** The passes of an earlier attempt at the same work: kept, so that its continuation gives the same bits. */
  readonly patchesPerPass?: number | undefined;
}

export interface MemoryPlan {
  /** Undefined: what the learner takes by itself. */
  readonly memory: MemoryUse | undefined;
  /** Undefined: the batch is not divided. */
  readonly patchesPerPass: number | undefined;
  /** What the process will come to, about. */
  readonly needBytes: number;
  /** One line for the site's log. */
  readonly announcement: string;
}

/**
 * The first of these that fits: the step as it is; with norms, then whole blocks, computed again on the way back, which gives
 * the same bits; the batch in smaller passes whose gradients are added up, the largest that fit. Throws OUT_OF_MEMORY when a
 * single patch does not.
 */
export function planMemory(step: PlannedStep, budget: MemoryBudget): MemoryPlan {
  const given = budget.patchesPerPass;
  const asPlanned = candidate(step, budget, undefined, given);
  if (fits(asPlanned, budget)) return { ...asPlanned, announcement: announceUnchanged(step, asPlanned, budget) };
  let smallest = asPlanned;
  for (const way of waysToSave(step, given)) {
    smallest = candidate(step, budget, way.memory, way.patchesPerPass);
    if (fits(smallest, budget)) return { ...smallest, announcement: announceChange(step, asPlanned, smallest, budget) };
  }
  throw tooLittle(smallest.needBytes, asPlanned.needBytes, budget);
}

type Way = Pick<MemoryPlan, 'memory' | 'patchesPerPass'>;

/** From the cheapest to the last. In 32 bits norms are made again by default; passes are halved: few to try, of equal length. */
function waysToSave({ precision, patches }: PlannedStep, given: number | undefined): Way[] {
  const norms: Way[] = precision === 'bf16' ? [{ memory: 'lean', patchesPerPass: given }] : [];
  const ways: Way[] = [...norms, { memory: 'leanest', patchesPerPass: given }];
  for (let size = given ?? patches; size > 1;) {
    size = Math.ceil(size / 2);
    ways.push({ memory: 'leanest', patchesPerPass: size });
  }
  return ways;
}

type Candidate = Omit<MemoryPlan, 'announcement'>;

function candidate(
  step: PlannedStep,
  { heldBytes }: MemoryBudget,
  memory: MemoryUse | undefined,
  patchesPerPass: number | undefined,
): Candidate {
  const forecast = foreseeStep({ ...step, memory, patchesPerPass });
  return { memory, patchesPerPass, needBytes: heldBytes + residentBytesOf(forecast, step.precision ?? 'f32') };
}

function fits({ needBytes }: Candidate, { limitBytes }: MemoryBudget): boolean {
  return needBytes <= limitBytes;
}

const MIB = 2 ** 20;

/** What TensorFlow holds beyond the tensors: kernels and their scratch memory, holes that freed tensors left. Measured: see
 * docs/guides/memory.md. */
const BESIDE_TENSORS = {
  f32: { fixedBytes: 50 * MIB, share: 0.12 },
  bf16: { fixedBytes: 100 * MIB, share: 0.3 },
} as const;

/** Copies of weights and slots in JavaScript: one on the way into a checkpoint, one that awaits its garbage collection. */
const COPIES = 2;

/** What training adds to what the process holds: tensors, what the library needs beside them, copies for checkpoints. */
export function residentBytesOf({ peakBytes, steadyBytes }: StepForecast, precision: 'f32' | 'bf16'): number {
  const { fixedBytes, share } = BESIDE_TENSORS[precision];
  return Math.round(peakBytes * (1 + share) + fixedBytes + COPIES * steadyBytes);
}

function announceUnchanged(step: PlannedStep, { needBytes, patchesPerPass }: Candidate, budget: MemoryBudget): string {
  const same = patchesPerPass === undefined ? 'nothing changed' : `as in the attempt before, ${inPasses(step, patchesPerPass)}`;
  return `memory: training needs about ${amount(needBytes)} of ${describeLimit(budget)}; ${same}`;
}

function announceChange(step: PlannedStep, wanted: Candidate, chosen: Candidate, budget: MemoryBudget): string {
  const { memory, patchesPerPass, needBytes } = chosen;
  const again =
    memory === 'lean'
      ? 'norms are computed again on the way back (the same result, a few per cent more time)'
      : 'blocks are computed again on the way back (the same result, about a third more time)';
  const passes = patchesPerPass === undefined ? '' : `, and ${inPasses(step, patchesPerPass)}`;
  return (
    `memory: training would need about ${amount(wanted.needBytes)} of ${describeLimit(budget)}; ` +
    `${again}${passes}: about ${amount(needBytes)}`
  );
}

function inPasses({ spec, patches }: PlannedStep, patchesPerPass: number): string {
  const passes = `each batch of ${patches} in passes of ${patchesPerPass}`;
  return buildNetwork(spec).examplesIndependent
    ? `${passes} (the same result but for rounding)`
    : `${passes} (batch norm then sees ${patchesPerPass} instead of ${patches} patches: ANOTHER RESULT)`;
}

/** In mebibytes as long as that reads well: need and limit may lie close together. */
function amount(bytes: number): string {
  return bytes < 10 * 1024 * MIB ? `${Math.round(bytes / MIB)} MiB` : formatBytes(bytes);
}

function describeLimit({ limitBytes, limitOrigin }: MemoryBudget): string {
  return `${amount(limitBytes)} ${limitOrigin}`;
}

/** Patches and batches change nothing about whole scans. */
function aboutVolumes({ volumeBytes = 0 }: MemoryBudget): string {
  if (volumeBytes < MIB) return '';
  return `, or a coarser spacingMm: ${amount(volumeBytes)} of it are for the largest validation case as a whole`;
}

function tooLittle(smallest: number, wanted: number, budget: MemoryBudget): FederationError {
  const message = `training needs at least about ${amount(smallest)} of memory, but there is ${describeLimit(budget)}`;
  return new FederationError('OUT_OF_MEMORY', message, {
    details: {
      neededMib: Math.ceil(smallest / MIB),
      plannedMib: Math.ceil(wanted / MIB),
      limitMib: Math.floor(budget.limitBytes / MIB),
    },
    retryable: false,
    remedy: `Close other programs or raise memoryLimit; else smaller patches, a smaller batch or a narrower model are needed${aboutVolumes(budget)}.`,
  });
}
