import { invariant } from '@consilium/shared/kernel';
import type { OperationRecord, Place, StepRecord } from './operation-record.js';

/** A layer or an operation type, summed up. */
export interface ProfileRow {
  /** Empty for what belongs to no layer: the loss and the update. `STATE` for what was there before the step. */
  readonly name: string;
  /** Per step. */
  readonly calls: number;
  readonly milliseconds: number;
  /** Of the step's time, 0 to 1. */
  readonly timeShare: number;
  /** The part of `milliseconds` on the way back. */
  readonly backwardMilliseconds: number;
  /** Of what was alive at the step's peak of tensor memory: what this row had made. */
  readonly bytesAtPeak: number;
  readonly memoryShare: number;
}

/** What several equal steps have in common. Times are means per step. */
export interface StepProfile {
  readonly steps: number;
  readonly stepMilliseconds: number;
  readonly forwardMilliseconds: number;
  readonly backwardMilliseconds: number;
  /** Not inside TensorFlow. */
  readonly javascriptMilliseconds: number;
  readonly javascriptShare: number;
  readonly callsPerStep: number;
  readonly peakTensorBytes: number;
  /** Where the tensors' memory was highest. */
  readonly peakAt: Place;
  /** Highest resident memory seen after a call: tensors, library, kernels' own memory. */
  readonly peakResidentBytes: number;
  /** Slowest first; with the JavaScript they add up to the step. */
  readonly byLayer: readonly ProfileRow[];
  readonly byOperation: readonly ProfileRow[];
}

/** Sums recorded steps up. The steps must be alike: one network, one batch size. */
export function profileSteps(steps: readonly StepRecord[]): StepProfile {
  const [first] = steps;
  invariant(first !== undefined, 'a profile has at least one step');
  const calls = steps.flatMap((step) => step.calls);
  const perStep = (values: readonly OperationRecord[]): number => durationOf(values) / steps.length;
  const stepMilliseconds = steps.reduce((sum, { stepMs }) => sum + stepMs, 0) / steps.length;
  const javascriptMilliseconds = stepMilliseconds - perStep(calls);
  return {
    steps: steps.length,
    stepMilliseconds,
    forwardMilliseconds: perStep(calls.filter(({ direction }) => direction === 'forward')),
    backwardMilliseconds: perStep(calls.filter(({ direction }) => direction === 'backward')),
    javascriptMilliseconds,
    javascriptShare: javascriptMilliseconds / stepMilliseconds,
    callsPerStep: calls.length / steps.length,
    peakTensorBytes: first.peakTensorBytes,
    peakAt: placeOfPeak(first),
    peakResidentBytes: calls.reduce((most, { residentBytes }) => Math.max(most, residentBytes), 0),
    byLayer: rowsBy(({ layer }) => layer, steps, stepMilliseconds),
    byOperation: rowsBy(({ operation }) => operation, steps, stepMilliseconds),
  };
}

function rowsBy(nameOf: (place: Place) => string, steps: readonly StepRecord[], stepMilliseconds: number): ProfileRow[] {
  const calls = groupBy(
    steps.flatMap((step) => step.calls),
    nameOf,
  );
  const shares = groupBy(steps[0]?.peakShares ?? [], nameOf);
  const peak = steps[0]?.peakTensorBytes ?? 0;
  const rows = [...new Set([...calls.keys(), ...shares.keys()])].map((name) => {
    const own = calls.get(name) ?? [];
    const milliseconds = durationOf(own) / steps.length;
    const bytesAtPeak = (shares.get(name) ?? []).reduce((sum, { bytes }) => sum + bytes, 0);
    return {
      name,
      calls: own.length / steps.length,
      milliseconds,
      timeShare: milliseconds / stepMilliseconds,
      backwardMilliseconds: durationOf(own.filter(({ direction }) => direction === 'backward')) / steps.length,
      bytesAtPeak,
      memoryShare: peak === 0 ? 0 : bytesAtPeak / peak,
    };
  });
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}

function groupBy<T extends Place>(values: readonly T[], nameOf: (place: Place) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const name = nameOf(value);
    const group = groups.get(name);
    if (group === undefined) groups.set(name, [value]);
    else group.push(value);
  }
  return groups;
}

function durationOf(calls: readonly OperationRecord[]): number {
  return calls.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

/** The first call after which most bytes were alive. */
function placeOfPeak({ calls }: StepRecord): Place {
  const [head, ...others] = calls;
  invariant(head !== undefined, 'a step calls TensorFlow');
  const { layer, operation, direction } = others.reduce(
    (most, each) => (each.tensorBytes > most.tensorBytes ? each : most),
    head,
  );
  return { layer, operation, direction };
}
