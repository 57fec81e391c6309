import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ADVERSARY_PREFIX, universalSpecSchema } from '@consilium/shared/models';
import type { WeightSet } from '@consilium/shared/weights';
import { localTrainingSchema, objectiveSchema, patchPlanSchema } from '@consilium/shared/wire';
import { makePrepared } from '../../../test/fixtures/make-prepared.js';
import { UNIVERSAL_SPEC, universalBatch, universalWeights } from '../../../test/fixtures/made-universal.js';
import { openRuntime } from '../engine/open-runtime.js';
import { adversaryGradient, adversaryPatches } from './adversary-gradient.js';
import type { PatchBatch } from './patch-batch.js';

const runtime = openRuntime({ threads: 2 });
const stop = new AbortController().signal;

function gradientOf(batches: PatchBatch[], weights: WeightSet = universalWeights()) {
  return adversaryGradient({ runtime, spec: UNIVERSAL_SPEC, weights, batches, stop });
}

/** The batches' patches as one. */
function joined(...batches: PatchBatch[]): PatchBatch {
  const join = (key: 'input' | 'target'): Float32Array => Float32Array.from(batches.flatMap((batch) => [...batch[key]]));
  const labels = {
    modality: batches.flatMap(({ labels }) => labels?.modality ?? []),
    scale: batches.flatMap(({ labels }) => labels?.scale ?? []),
  };
  const patches = batches.reduce((sum, batch) => sum + batch.patches, 0);
  return { ...(batches[0] as PatchBatch), patches, input: join('input'), target: join('target'), labels };
}

function relativeDifference(a: WeightSet, b: WeightSet): number {
  const values = (set: WeightSet): number[] => set.flatMap((tensor) => [...tensor.values]);
  const [x, y] = [values(a), values(b)];
  const norm = (v: number[]): number => Math.sqrt(v.reduce((sum, each) => sum + each * each, 0));
  return norm(x.map((each, i) => each - (y[i] ?? NaN))) / norm(y);
}

describe('the adversary’s gradient', () => {
  const ct = universalBatch('ct', 3, [0]);
  const mr = [universalBatch('mr', 2, [1]), universalBatch('mr-2', 3, [1])];

  it('of sites with one modality each adds up to that of all their patches together', async () => {
    const sites = [await gradientOf([ct]), await gradientOf(mr)];
    const central = await gradientOf([joined(ct, ...mr)]);
    expect(sites.map(({ patches }) => patches)).toEqual([3, 5]);
    expect(central.patches).toBe(8);
    const sum = central.gradient.map(({ name, shape }, tensor) => {
      const values = Float32Array.from({ length: central.gradient[tensor]?.values.length ?? 0 }, (_, i) =>
        sites.reduce((total, { gradient, patches }) => total + ((gradient[tensor]?.values[i] ?? NaN) * patches) / 8, 0),
      );
      return { name, shape, values };
    });
    expect(relativeDifference(sum, central.gradient)).toBeLessThan(1e-5);
    expect(relativeDifference(sites[0]?.gradient ?? [], central.gradient)).toBeGreaterThan(0.1); // no site has it alone
    const mean = (key: 'loss' | 'accuracy') => sites.reduce((total, site) => total + (site[key] * site.patches) / 8, 0);
    expect(mean('loss')).toBeCloseTo(central.loss, 6);
    expect(mean('accuracy')).toBeCloseTo(central.accuracy, 9);
  });

  it('has the adversary’s tensors alone, in the manifest’s order, with zeros for biases before a norm', async () => {
    const { gradient } = await gradientOf([ct]);
    const names = universalWeights().flatMap(({ name }) => (name.startsWith(ADVERSARY_PREFIX) ? [name] : []));
    expect(gradient.map(({ name }) => name)).toEqual(names);
    const zero = gradient.filter(({ values }) => values.every((value) => value === 0)).map(({ name }) => name);
    expect(zero).toEqual(['modality.m1.0.bias', 'modality.m2.0.bias', 'modality.m3.0.bias']);
  });

  it('leaves nothing behind, and says when the weights are not finite', async () => {
    const before = runtime.liveTensors() - runtime.constantCount;
    await gradientOf([ct]);
    const broken = universalWeights().map((tensor) =>
      tensor.name === 'modality.head.2.bias' ? { ...tensor, values: tensor.values.map(() => NaN) } : tensor,
    );
    await expect(gradientOf([ct], broken)).rejects.toMatchObject({ code: 'TRAINING_DIVERGED' });
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  });

  it('stops when asked to', async () => {
    const options = { runtime, spec: UNIVERSAL_SPEC, weights: universalWeights(), batches: [ct], stop: AbortSignal.abort() };
    await expect(adversaryGradient(options)).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
  });

  it('with batch norm depends on the batch, which is why a frozen adversary refuses it', async () => {
    const spec = universalSpecSchema.parse({ ...UNIVERSAL_SPEC, norm: 'batch' });
    const of = (batches: PatchBatch[]) => adversaryGradient({ runtime, spec, weights: universalWeights(), batches, stop });
    const [apart, together] = [await of(mr), await of([joined(...mr)])];
    expect(relativeDifference(apart.gradient, together.gradient)).toBeGreaterThan(1e-3);
  });
});

describe('the patches of an adversary round', () => {
  const folder = mkdtempSync(join(tmpdir(), 'consilium-adversary-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const patch = patchPlanSchema.parse({ sizeVoxels: [8, 8, 8] });
  const training = localTrainingSchema.parse({ steps: 10 });
  const value = (x: number, y: number, z: number): number => ((x * 7 + y * 3 + z) % 11) / 11;
  const volume = () => makePrepared(folder, { name: 'mr', modality: 'MR', sizeVoxels: [16, 16, 16], value });
  const objectiveWith = (transforms: object) =>
    objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'frozen', subRounds: 1, patches: 6 }, ...transforms });

  it('are labelled, as many as planned, other ones in each round, the same again, and those from one of them on', async () => {
    const [volumes, objective] = [[await volume()], objectiveWith({})];
    const open = (roundNumber: number, first?: number) => [
      ...adversaryPatches({ seed: 3, roundNumber, rounds: 8, training, patch, objective }, volumes, first),
    ];
    const [second, fourth, again] = [open(2), open(4), open(2)];
    expect(second.map(({ patches }) => patches)).toEqual([4, 2]);
    expect(second.flatMap(({ labels }) => labels?.modality)).toEqual([1, 1, 1, 1, 1, 1]);
    expect(again).toEqual(second);
    expect(open(2, 4)).toEqual(second.slice(1));
    expect(fourth[0]?.input).not.toEqual(second[0]?.input);
  });

  it('are as distorted as those of the representation’s next step', async () => {
    const volumes = [await volume()];
    const calm = { nonlinearProbability: 0, shuffleProbability: 0, paintProbability: 0 };
    const objective = objectiveWith({ curriculum: [{ until: 0.5, ...calm }] });
    // Of rounds 1, 3, 5 and 7 of the representation, the curriculum's stage holds the first two.
    const distorted = [2, 4, 6, 8].map((roundNumber) =>
      [...adversaryPatches({ seed: 3, roundNumber, rounds: 8, training, patch, objective }, volumes)].some(({ input, target }) =>
        input.some((voxel, index) => voxel !== target[index]),
      ),
    );
    expect(distorted).toEqual([false, true, true, true]);
  });
});
