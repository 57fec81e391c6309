import { join } from 'node:path';
import { readSafetensors } from '@consilium/shared/weights';
import { relativeDifference } from '../../../../test/fixtures/gradient-check.js';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { openRuntime } from '../open-runtime.js';
import type { Tensor } from '../tensor.js';
import { createLoss } from './create-loss.js';
import type { LossChoice } from './loss-plan.js';

const runtime = openRuntime({ threads: 2 });
const weights = [0.5, 2, 0.25, 1.25, 1];

const CASES: Readonly<Record<string, LossChoice>> = {
  mse: { kind: 'mse' },
  'mse-linear': { kind: 'mse-linear' },
  l1: { kind: 'l1' },
  bce: { kind: 'bce' },
  'bce-sure': { kind: 'bce' },
  focal: { kind: 'focal' },
  'focal-soft': { kind: 'focal' },
  'cross-entropy': { kind: 'cross-entropy' },
  'cross-entropy-one-voxel': { kind: 'cross-entropy' },
  'cross-entropy-classifier': { kind: 'cross-entropy', classWeights: weights },
  'cross-entropy-weighted': { kind: 'cross-entropy', classWeights: weights },
  'cross-entropy-ignoring': { kind: 'cross-entropy', ignoreLabel: 255 },
  'cross-entropy-both': { kind: 'cross-entropy', classWeights: weights, ignoreLabel: 2 },
  'cross-entropy-sure': { kind: 'cross-entropy' },
  'softmax-dice': { kind: 'softmax-dice' },
  'softmax-dice-two-classes': { kind: 'softmax-dice' },
  'softmax-dice-examples': { kind: 'softmax-dice', background: true, smoothing: 1, over: 'example' },
  'softmax-dice-ignoring': { kind: 'softmax-dice', ignoreLabel: 255 },
  'dice-ce': { kind: 'dice-ce' },
};

/** Largest difference, as a share of the largest value: rounding of 32 bits. */
const TOLERANCE = 1e-6;

let goldens: ReadonlyMap<string, { shape: readonly number[]; values: Float32Array }>;

beforeAll(async () => {
  const { weights: stored } = await readSafetensors(join(PROJECT_ROOT, 'test/fixtures/loss-goldens/losses.safetensors'));
  goldens = new Map(stored.map((entry) => [entry.name, entry]));
});

function upload(name: string): Tensor {
  const { values, shape } = golden(name);
  return runtime.tensor(Float32Array.from(values), shape);
}

function golden(name: string): { shape: readonly number[]; values: Float32Array } {
  const found = goldens.get(name);
  if (found === undefined) throw new Error(`the goldens have ${name}`);
  return found;
}

describe('losses beside PyTorch in 64 bits', () => {
  it.each(Object.keys(CASES))('%s', (name) => {
    const [logits, target] = [upload(`${name}.logits`), upload(`${name}.target`)];
    const { loss, gradient } = createLoss(CASES[name] as LossChoice).evaluate(runtime, logits, target, 1);
    expect(relativeDifference([loss], golden(`${name}.loss`).values)).toBeLessThan(TOLERANCE);
    expect(relativeDifference(runtime.read(gradient), golden(`${name}.gradient`).values)).toBeLessThan(TOLERANCE);
    for (const tensor of [logits, target, gradient]) tensor.free();
  });

  it('have no gradient where prediction and target are equal: l1', () => {
    const zeros = runtime.tensor(new Float32Array(3), [1, 1, 1, 1, 3]);
    const target = upload('l1-equal.target');
    const { loss, gradient } = createLoss({ kind: 'l1' }).evaluate(runtime, zeros, target, 1);
    expect([loss, ...runtime.read(gradient)]).toEqual([0, 0, 0, 0]);
    expect([...golden('l1-equal.gradient').values]).toEqual([0, 0, 0]);
    for (const tensor of [zeros, target, gradient]) tensor.free();
  });
});
