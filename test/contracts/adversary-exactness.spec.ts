import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { required } from '@consilium/shared/kernel';
import { initialWeights, isOfPart, modelSpecSchema, scopedManifest, type UniversalSpec } from '@consilium/shared/models';
import { readSafetensors, type WeightSet, writeSafetensors } from '@consilium/shared/weights';
import { localTrainingSchema, objectiveSchema, patchPlanSchema } from '@consilium/shared/wire';
import { foldFiles } from '../../coordinator/src/aggregation/fold-files.js';
import { openRuntime } from '../../site-agent/src/engine/open-runtime.js';
import type { PreparedVolume } from '../../site-agent/src/preprocessing/patch-cache/prepared-volume.js';
import { adversaryGradient, adversaryPatches } from '../../site-agent/src/training/adversary-gradient.js';
import { GradientSum } from '../../site-agent/src/training/gradient-sum.js';
import type { PatchBatch } from '../../site-agent/src/training/patch-batch.js';
import { makePrepared } from '../fixtures/make-prepared.js';

const RATE = 0.01;
const SIZE = [32, 32, 16] as const;

/** The engine in 32 bits: gradients of the same patches, computed one by one and all at once, in parts of their largest value. */
const ENGINE_ROUNDING = 1e-5;

// Real patches, the real engine, real update files, the real fold: the promise of docs/methods/frozen-adversary.
describe('the federated gradient of the adversary', () => {
  const runtime = openRuntime({ threads: 2 });
  const folder = mkdtempSync(join(tmpdir(), 'adversary-exactness-'));
  const spec = modelSpecSchema.parse({
    architecture: 'universal-model',
    width: 2,
    norm: 'instance',
    scaleFeatures: 8,
  }) as UniversalSpec;
  const weights = initialWeights(spec, 5);
  const patch = patchPlanSchema.parse({ sizeVoxels: SIZE, minimumForeground: 0 });
  const training = localTrainingSchema.parse({ steps: 10 });
  const stop = new AbortController().signal;
  afterAll(() => rmSync(folder, { recursive: true }));

  const volume = (name: string, modality: 'CT' | 'MR'): Promise<PreparedVolume> =>
    makePrepared(join(folder, 'prepared'), {
      ...{ name, modality, sizeVoxels: [40, 36, 20] },
      // CT as a bright ball, MR as waves: something to tell, differently in each volume.
      value: (x, y, z) => {
        const phase = name.charCodeAt(0) / 7;
        if (modality === 'CT') return Math.hypot(x - 20, y - 18, z - 10) < 8 + phase / 8 ? 0.7 : 0.1;
        return 0.5 + 0.4 * Math.sin(x / 3 + phase) * Math.cos(y / 2 - z / (2 + phase));
      },
    });

  const patchesOf = async (volumes: readonly PreparedVolume[], patches: number): Promise<PatchBatch[]> => {
    const objective = objectiveSchema.parse({ kind: 'universal-model', adversary: { mode: 'frozen', patches } });
    const batches: PatchBatch[] = [];
    for (const batch of adversaryPatches({ seed: 3, roundNumber: 2, rounds: 2, training, patch, objective }, volumes)) {
      batches.push({ ...batch, input: batch.input.slice(), target: batch.target.slice() });
    }
    return batches;
  };

  /** What a site delivers: minus its mean gradient, gathered batch by batch. */
  const deliver = async (siteName: string, batches: readonly PatchBatch[]) => {
    let sum: GradientSum | undefined;
    let patches = 0;
    for (const batch of batches) {
      const part = await adversaryGradient({ runtime, spec, weights, batches: [batch], stop });
      sum ??= GradientSum.like(part.gradient);
      sum.add(part.gradient, part.patches);
      patches += part.patches;
    }
    const descent = required(sum, 'a gradient').times(-1 / patches);
    const path = join(folder, `${siteName}.safetensors`);
    await writeSafetensors(path, descent, { metadata: { format: 'pt' } });
    return { siteName, patches, path, staleness: 0, descent };
  };

  it('summed over sites with one modality each equals the central one, and so does the step', async () => {
    const ofSites: Record<string, PatchBatch[]> = {
      ct: await patchesOf([await volume('a', 'CT')], 6),
      mr: await patchesOf([await volume('b', 'MR'), await volume('c', 'MR')], 10),
      mixed: await patchesOf([await volume('d', 'CT'), await volume('e', 'MR')], 4),
    };
    const labels = Object.values(ofSites).map((batches) => batches.flatMap((batch) => batch.labels?.modality ?? []));
    expect(labels.map((each) => [...new Set(each)].sort())).toEqual([[0], [1], [0, 1]]);

    const updates = [];
    for (const [name, batches] of Object.entries(ofSites)) updates.push(await deliver(name, batches));
    const union = joined(Object.values(ofSites).flat());
    const central = await adversaryGradient({ runtime, spec, weights, batches: [union], stop });
    expect([updates.map(({ patches }) => patches), central.patches]).toEqual([[6, 10, 4], 20]);

    const largest = Math.max(...central.gradient.map(({ values }) => largestOf(values)));
    const summed = meanDescent(updates);
    const off = furthest(summed, central.gradient, (descent, gradient) => Math.abs(descent + gradient)) / largest;
    process.stderr.write(`federated adversary gradient: ${off.toExponential(2)} of the largest component off the central one\n`);
    expect(largest).toBeGreaterThan(1e-4);
    expect(off).toBeLessThan(ENGINE_ROUNDING);
    // The site of one modality alone is far from it: the comparison can fail.
    const alone = required(updates[0], 'a site').descent;
    expect(furthest(alone, central.gradient, (descent, gradient) => Math.abs(descent + gradient)) / largest).toBeGreaterThan(
      0.05,
    );

    const next = await fold(updates);
    for (const { name, values } of next) {
      const before = required(
        weights.find((tensor) => tensor.name === name),
        name,
      ).values;
      if (!isOfPart(name, 'adversary')) expect(values).toEqual(before);
    }
    // Adam's first step is the rate times the sign; where a gradient is as small as its rounding, the sign is anybody's guess.
    const expected = central.gradient.map(({ name, shape, values }) => {
      const before = required(
        weights.find((tensor) => tensor.name === name),
        name,
      ).values;
      return {
        name,
        shape,
        values: before.map((weight, i) => weight - (RATE * (values[i] ?? 0)) / (Math.abs(values[i] ?? 0) + 1e-8)),
      };
    });
    const stepped = next.filter(({ name }) => isOfPart(name, 'adversary'));
    const clear = (index: number, i: number): boolean => Math.abs(central.gradient[index]?.values[i] ?? 0) > 1e-5;
    let compared = 0;
    stepped.forEach(({ values }, index) =>
      values.forEach((value, i) => {
        if (!clear(index, i)) return;
        compared++;
        expect(Math.abs(value - (expected[index]?.values[i] ?? NaN))).toBeLessThan(1e-6);
      }),
    );
    expect(compared).toBeGreaterThan(100);
  }, 120_000);

  async function fold(
    updates: readonly { siteName: string; patches: number; path: string; staleness: number }[],
  ): Promise<WeightSet> {
    const basePath = join(folder, 'base.safetensors');
    await writeSafetensors(basePath, weights, { metadata: { format: 'pt' } });
    const outputPath = join(folder, 'next.safetensors');
    await foldFiles({
      manifest: scopedManifest(spec, [], 'adversary'),
      ...{ basePath, statePath: null, outputPath, stateOutputPath: join(folder, 'state.safetensors') },
      updates: updates.map(({ siteName, patches, path, staleness }) => ({ siteName, patches, path, staleness })),
      recipe: { name: 'adversary-adam', learningRate: RATE, step: 1, patches: 24 },
      ...{ metadata: {}, sitesOfCampaign: 3, digest: 'blake3', threads: 0 },
    });
    return (await readSafetensors(outputPath)).weights;
  }
});

/** All patches of several batches as one. */
function joined(batches: readonly PatchBatch[]): PatchBatch {
  const join = (of: (batch: PatchBatch) => Float32Array): Float32Array =>
    Float32Array.from(batches.flatMap((batch) => [...of(batch)]));
  return {
    patches: batches.reduce((sum, { patches }) => sum + patches, 0),
    sizeVoxels: SIZE,
    input: join(({ input }) => input),
    target: join(({ target }) => target),
    labels: {
      modality: batches.flatMap(({ labels }) => labels?.modality ?? []),
      scale: batches.flatMap(({ labels }) => labels?.scale ?? []),
    },
  };
}

function meanDescent(updates: readonly { readonly patches: number; readonly descent: WeightSet }[]): WeightSet {
  const total = updates.reduce((sum, { patches }) => sum + patches, 0);
  return required(updates[0], 'an update').descent.map(({ name, shape, values }, index) => ({
    name,
    shape,
    values: values.map(
      (_, i) => updates.reduce((sum, { patches, descent }) => sum + patches * (descent[index]?.values[i] ?? NaN), 0) / total,
    ),
  }));
}

function furthest(a: WeightSet, b: WeightSet, off: (x: number, y: number) => number): number {
  let most = 0;
  a.forEach(({ name, values }, index) => {
    expect(b[index]?.name).toBe(name);
    values.forEach((value, i) => (most = Math.max(most, off(value, b[index]?.values[i] ?? NaN))));
  });
  return most;
}

function largestOf(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
