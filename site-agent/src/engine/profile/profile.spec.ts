import { modelSpecSchema } from '@consilium/shared/models';
import { describeWithBfloat16 } from '../../../../test/fixtures/describe-with-bfloat16.js';
import { openRuntime } from '../open-runtime.js';
import { Runtime } from '../runtime/runtime.js';
import { ShapeBinding } from '../shapes/shape-binding.js';
import { Learner } from '../../training/learner.js';
import { recordTraining } from '../../training/profile-training.js';
import type { ProfiledTraining } from '../../training/profiled-training.js';
import { chromeTrace } from './chrome-trace.js';
import type { OperationRecord, StepRecord } from './operation-record.js';
import { profileSteps } from './step-profile.js';

const runtime = openRuntime({ threads: 2 });

function training(choices: { norm?: string; precision?: 'f32' | 'bf16'; upsampling?: string } = {}): ProfiledTraining {
  const { precision = 'f32', ...model } = choices;
  return {
    spec: modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, norm: 'batch', ...model }),
    patches: 2,
    sizeVoxels: [16, 8, 8],
    optimizer: { kind: 'adam', learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    precision,
    steps: 1,
  };
}

/** The second step, for the first one also makes the runtime's constants. */
function secondStepOnShapes({ spec, patches, sizeVoxels, optimizer, precision }: ProfiledTraining) {
  const shapes = new ShapeBinding();
  const learner = Learner.create({ runtime: new Runtime(shapes, runtime.native), spec, optimizer, precision });
  const values = new Float32Array(patches * sizeVoxels[0] * sizeVoxels[1] * sizeVoxels[2]);
  const step = () => learner.step({ patches, sizeVoxels, input: values, target: values });
  step();
  const steadyBytes = shapes.liveBytes;
  shapes.resetPeak();
  step();
  return { peakBytes: shapes.peakBytes, steadyBytes };
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

describe('the profile of a training step', () => {
  it('adds up: rows and JavaScript are the step, the shares at the peak are the peak', async () => {
    const profile = profileSteps(await recordTraining(runtime, training()));
    for (const rows of [profile.byLayer, profile.byOperation]) {
      expect(sum(rows.map((row) => row.timeShare)) + profile.javascriptShare).toBeCloseTo(1, 9);
      expect(sum(rows.map((row) => row.bytesAtPeak))).toBe(profile.peakTensorBytes);
      expect(sum(rows.map((row) => row.memoryShare))).toBeCloseTo(1, 9);
      expect(sum(rows.map((row) => row.calls))).toBeCloseTo(profile.callsPerStep, 9);
    }
    const { forwardMilliseconds, backwardMilliseconds, javascriptMilliseconds, stepMilliseconds } = profile;
    expect(forwardMilliseconds + backwardMilliseconds + javascriptMilliseconds).toBeCloseTo(stepMilliseconds, 6);
    expect(javascriptMilliseconds).toBeGreaterThan(0);
  });

  it('knows the layers, the operations and the way back', async () => {
    const { byLayer, byOperation } = profileSteps(await recordTraining(runtime, training()));
    expect(byLayer.map(({ name }) => name)).toEqual(expect.arrayContaining(['', 'e1.0', 'e4.3', 'u3', 'd1.3', 'out']));
    const operation = (name: string) => byOperation.find((row) => row.name === name);
    expect(operation('Conv3DBackpropFilterV2')).toMatchObject({ calls: expect.any(Number) as number });
    const backward = operation('Conv3DBackpropFilterV2');
    expect(backward?.backwardMilliseconds).toBe(backward?.milliseconds);
    expect(operation('ResourceApplyAdam')?.calls).toBeGreaterThan(0);
  });

  findForeseenPeaks([{ norm: 'batch' }, { norm: 'instance', upsampling: 'nearest' }]);
  describeWithBfloat16('in bfloat16', () => findForeseenPeaks([{ norm: 'batch', precision: 'bf16' }]));

  function findForeseenPeaks(cases: readonly Parameters<typeof training>[0][]): void {
    it.each(cases)('finds the peak that the shape-only backend foresees: %j', async (choices) => {
      const chosen = training(choices);
      const { peakTensorBytes, byLayer } = profileSteps(await recordTraining(runtime, chosen));
      const { peakBytes, steadyBytes } = secondStepOnShapes(chosen);
      expect(peakTensorBytes).toBe(peakBytes);
      const state = byLayer.find(({ name }) => name === 'weights and optimizer');
      expect(state?.bytesAtPeak).toBe(steadyBytes);
    });
  }

  it('leaves no tensor behind, and the runtime that others use unobserved', async () => {
    const before = runtime.liveTensors();
    await recordTraining(runtime, training());
    expect(runtime.liveTensors()).toBe(before);
    expect(runtime.observer).toBeUndefined();
  });

  it('frees everything when it is stopped between two steps', async () => {
    const before = runtime.liveTensors();
    const stop = (): never => {
      throw new Error('stop');
    };
    await expect(recordTraining(runtime, training(), stop)).rejects.toThrow('stop');
    expect(runtime.liveTensors()).toBe(before);
  });
});

describe('a trace of steps', () => {
  const call = (fields: Partial<OperationRecord>): OperationRecord => ({
    ...{
      layer: '',
      operation: 'Neg',
      direction: 'forward',
      startMs: 0,
      durationMs: 1,
      tensorBytes: 2 ** 20,
      residentBytes: 2 ** 21,
    },
    ...fields,
  });
  const step = (calls: readonly OperationRecord[], stepMs: number): StepRecord => {
    return { calls, stepMs, peakTensorBytes: 2 ** 20, peakShares: [] };
  };

  it('nests operations in layers in directions in steps, and counts memory', () => {
    const calls = [
      call({ layer: 'e1', startMs: 1 }),
      call({ layer: 'e1', startMs: 3, operation: 'Conv3D' }),
      call({ layer: 'e1', startMs: 5, direction: 'backward' }),
      call({ startMs: 7, operation: 'AddV2' }),
    ];
    const events = chromeTrace([step(calls, 9), step([call({ startMs: 0.5 })], 2)]).traceEvents;
    const spans = events.filter(({ ph }) => ph === 'X').map(({ cat, name, ts, dur }) => [cat, name, ts, dur]);
    expect(spans).toEqual([
      ['step', 'step 1', 0, 9000],
      ['direction', 'forward', 1000, 3000],
      ['layer', 'e1', 1000, 3000],
      ['operation', 'Neg', 1000, 1000],
      ['operation', 'Conv3D', 3000, 1000],
      ['direction', 'backward', 5000, 1000],
      ['layer', 'e1', 5000, 1000],
      ['operation', 'Neg', 5000, 1000],
      ['direction', 'forward', 7000, 1000],
      ['operation', 'AddV2', 7000, 1000],
      ['step', 'step 2', 9000, 2000],
      ['direction', 'forward', 9500, 1000],
      ['operation', 'Neg', 9500, 1000],
    ]);
    expect(events.filter(({ ph }) => ph === 'C').map(({ ts, args }) => [ts, args])).toContainEqual([
      2000,
      { tensors: 1, resident: 2 },
    ]);
  });

  it('is well-formed and in order of time for real steps', async () => {
    const trace = chromeTrace(await recordTraining(runtime, training()));
    const events = (JSON.parse(JSON.stringify(trace)) as typeof trace).traceEvents;
    expect(events.length).toBeGreaterThan(500);
    const times = events.map(({ ts }) => ts);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    for (const { ph, dur, name } of events) {
      expect(name).not.toBe('');
      if (ph === 'X') expect(dur).toBeGreaterThanOrEqual(0);
    }
    const steps = events.filter(({ cat }) => cat === 'step');
    const inside = events.filter(
      ({ ph, ts, dur = 0 }) =>
        ph !== 'X' || steps.some((span) => ts >= span.ts - 0.01 && ts + dur <= span.ts + (span.dur ?? 0) + 0.01),
    );
    expect(inside.length).toBe(events.length);
  });
});
