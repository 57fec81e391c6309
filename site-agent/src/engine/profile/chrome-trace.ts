/**
 * Steps in the trace-event format (Chromium's "Trace Event Format"), which chrome://tracing and ui.perfetto.dev open: one track
 * of operations inside layers inside directions, and two counters of memory.
 */
import type { OperationRecord, StepRecord } from './operation-record.js';

/** A complete event (X), a counter (C) or a name (M); times are microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly cat?: string;
  readonly ph: 'X' | 'C' | 'M';
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args?: Readonly<Record<string, string | number>>;
}

export interface ChromeTrace {
  readonly displayTimeUnit: 'ms';
  readonly traceEvents: readonly TraceEvent[];
}

const PROCESS = { pid: 1, tid: 1 } as const;
const MICROSECONDS = 1000;
const MIB = 2 ** 20;

/** Steps one after the other. Events are in order of time, and enclosing ones come before those inside. */
export function chromeTrace(steps: readonly StepRecord[]): ChromeTrace {
  const events: TraceEvent[] = [named('process_name', 'site-agent profile'), named('thread_name', 'training')];
  let stepStartMs = 0;
  for (const [index, step] of steps.entries()) {
    events.push(...stepEvents(step, index, stepStartMs));
    stepStartMs += step.stepMs;
  }
  return { displayTimeUnit: 'ms', traceEvents: events };
}

function stepEvents({ calls, stepMs }: StepRecord, index: number, offsetMs: number): TraceEvent[] {
  const events: TraceEvent[] = [complete(`step ${index + 1}`, 'step', offsetMs, offsetMs + stepMs)];
  for (const direction of runsOf(calls, (call) => call.direction)) {
    events.push(spanning(direction, direction[0].direction, 'direction', offsetMs));
    for (const layer of runsOf(direction, (call) => call.layer)) {
      if (layer[0].layer !== '') events.push(spanning(layer, layer[0].layer, 'layer', offsetMs));
      for (const call of layer) events.push(...callEvents(call, offsetMs));
    }
  }
  return events;
}

function callEvents(call: OperationRecord, offsetMs: number): TraceEvent[] {
  const endMs = offsetMs + call.startMs + call.durationMs;
  const bytes = { tensors: round(call.tensorBytes / MIB), resident: round(call.residentBytes / MIB) };
  return [
    complete(call.operation, 'operation', offsetMs + call.startMs, endMs),
    { name: 'memory, MiB', ph: 'C', ts: round(endMs * MICROSECONDS), ...PROCESS, args: bytes },
  ];
}

type Calls = readonly [OperationRecord, ...OperationRecord[]];

/** Neighbouring calls with the same key. */
function runsOf(calls: readonly OperationRecord[], keyOf: (call: OperationRecord) => string): Calls[] {
  const runs: [OperationRecord, ...OperationRecord[]][] = [];
  for (const call of calls) {
    const last = runs.at(-1);
    if (last !== undefined && keyOf(last[0]) === keyOf(call)) last.push(call);
    else runs.push([call]);
  }
  return runs;
}

function spanning(calls: Calls, name: string, category: string, offsetMs: number): TraceEvent {
  const last = calls.at(-1) ?? calls[0];
  return complete(name, category, offsetMs + calls[0].startMs, offsetMs + last.startMs + last.durationMs);
}

function complete(name: string, cat: string, startMs: number, endMs: number): TraceEvent {
  const ts = round(startMs * MICROSECONDS);
  return { name, cat, ph: 'X', ts, dur: round(round(endMs * MICROSECONDS) - ts), ...PROCESS };
}

function named(name: string, value: string): TraceEvent {
  return { name, ph: 'M', ts: 0, ...PROCESS, args: { name: value } };
}

/** Nanoseconds are enough, and keep the file small. */
function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
