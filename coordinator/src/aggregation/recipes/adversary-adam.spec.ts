import { execFileSync } from 'node:child_process';
import { Random } from '@consilium/shared/kernel';
import { foldNumbers, type Numbers } from '../../../../test/fixtures/fold-numbers.js';
import { describeWithOracle } from '../../../../test/fixtures/reference-shelf.js';
import type { AdversaryAdam } from '../recipe.js';

const LEARNING_RATE = 0.01;

function adam(step: number, patches = 24): AdversaryAdam {
  return { name: 'adversary-adam', learningRate: LEARNING_RATE, step, patches };
}

function drawn(random: Random, count: number, scale: number): number[] {
  return Array.from({ length: count }, () => Math.fround(random.between(-1, 1) * scale));
}

/** Adam as its paper writes it, in 64 bits throughout: what rounding to 32 bits is measured against. */
function byThePaper(start: readonly number[], gradients: readonly (readonly number[])[]): number[] {
  const m = start.map(() => 0);
  const v = start.map(() => 0);
  const x = [...start];
  gradients.forEach((gradient, index) => {
    const t = index + 1;
    gradient.forEach((g, i) => {
      m[i] = 0.9 * (m[i] as number) + 0.1 * g;
      v[i] = 0.999 * (v[i] as number) + 0.001 * g * g;
      const corrected = m[i] / (1 - 0.9 ** t);
      x[i] = (x[i] as number) - (LEARNING_RATE * corrected) / (Math.sqrt(v[i] / (1 - 0.999 ** t)) + 1e-8);
    });
  });
  return x;
}

/** Folds minus the gradients of three sites, a round each; the sites' patches are 24, 8 and 16. */
async function folded(start: readonly number[], bySite: readonly (readonly (readonly number[])[])[]): Promise<Numbers> {
  let base: Numbers = { 'modality.w': start, 'e1.w': [0.1, -0.2] };
  let state: Numbers | null = null;
  for (const [index, sites] of bySite.entries()) {
    const updates = sites.map((gradient, site) => ({
      siteName: `site-${site}`,
      patches: PATCHES[site] ?? 0,
      deltas: { 'modality.w': gradient.map((value) => -value) },
    }));
    const { next, state: left } = await foldNumbers({ base, state, updates, recipe: adam(index + 1), still: ['e1.w'] });
    expect(next['e1.w']).toEqual((base['e1.w'] ?? []).map(Math.fround));
    expect(Object.keys(left ?? {})).toEqual(['first/modality.w', 'second/modality.w']);
    [base, state] = [next, left];
  }
  return base;
}

const PATCHES = [24, 8, 16];
const random = new Random('adversary-adam');
const START = drawn(random, 40, 0.3);
const BY_SITE = Array.from({ length: 12 }, (_, step) => PATCHES.map(() => drawn(random, 40, 10 ** -(step % 4))));

function pooled(sites: readonly (readonly number[])[]): number[] {
  const total = PATCHES.reduce((sum, patches) => sum + patches, 0);
  return START.map((_, i) => sites.reduce((sum, gradient, site) => sum + (PATCHES[site] ?? 0) * (gradient[i] ?? NaN), 0) / total);
}

function largestDifference(actual: readonly number[], expected: readonly number[]): number {
  return Math.max(...expected.map((value, i) => Math.abs(value - (actual[i] ?? NaN))));
}

describe('the step of a frozen adversary', () => {
  it('is Adam on the gradient of all patches together; nothing else moves', async () => {
    const next = await folded(START, BY_SITE);
    const expected = byThePaper(START, BY_SITE.map(pooled));
    // Twelve roundings of values below 1, and of the two moments: far below a step of 0.01.
    expect(largestDifference(next['modality.w'] ?? [], expected)).toBeLessThan(5e-7);
    expect(largestDifference(START, expected)).toBeGreaterThan(LEARNING_RATE);
  });

  it('counts no more patches of a site than were asked for', async () => {
    const gradients = { a: [1, 0], b: [0, 1] };
    const updates = (claimed: number) => [
      { siteName: 'a', patches: claimed, deltas: { w: gradients.a } },
      { siteName: 'b', patches: 24, deltas: { w: gradients.b } },
    ];
    const fold = (claimed: number) => foldNumbers({ base: { w: [0, 0] }, updates: updates(claimed), recipe: adam(1) });
    expect((await fold(1_000_000)).state).toEqual((await fold(24)).state);
    expect((await fold(1_000_000)).outcome.totalWeight).toBe(48);
  });
});

describeWithOracle('the step of a frozen adversary, beside PyTorch', (python) => {
  it('equals torch.optim.Adam on that gradient', async () => {
    const next = await folded(START, BY_SITE);
    const script = [
      'import json, sys, torch',
      'start, gradients, rate = json.load(sys.stdin)',
      'w = torch.tensor(start, dtype=torch.float32, requires_grad=True)',
      'adam = torch.optim.Adam([w], lr=rate)',
      'for g in gradients:',
      '    w.grad = torch.tensor(g, dtype=torch.float32)',
      '    adam.step()',
      'print(json.dumps(w.tolist()))',
    ].join('\n');
    const input = JSON.stringify([START, BY_SITE.map(pooled), LEARNING_RATE]);
    const expected = JSON.parse(execFileSync(python, ['-c', script], { input, encoding: 'utf8' })) as number[];
    expect(largestDifference(next['modality.w'] ?? [], expected)).toBeLessThan(1e-6);
  });
});
