import { join } from 'node:path';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { decodeUpdate, type WeightSet } from '@consilium/shared/weights';
import { optimizerPlanSchema, type PrivacyPlan, type RoundPlan } from '@consilium/shared/wire';
import { openRuntime } from '../../site-agent/src/engine/open-runtime.js';
import { Learner } from '../../site-agent/src/training/learner.js';
import { makeUpdate } from '../../site-agent/src/training/make-update.js';
import { readVolume } from '../../site-agent/src/volumes/read-volume.js';
import { invertUpdate, likeness } from '../fixtures/invert-update.js';
import { CENTRAL, LOCAL, privatePlan } from '../fixtures/make-privacy.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

const SIDE = 8;
/** The published 3D ResNet with a decoder that restores; with 64 channels its first layer has one for each place of its output. */
const model = modelSpecSchema.parse({
  architecture: 'medicalnet-resnet',
  depth: 10,
  width: 64,
  norm: 'group',
  head: 'raised-segmentation',
  outputs: 1,
});
const base = initialWeights(model, 3);
const noise = { secret: Buffer.alloc(32, 9), participationId: 'part_1' };

/** Eight voxels along each side of a real scan of a brain, every 12th or so of the whole, intensities from 0 to 1. */
async function patchOfScan(): Promise<Float32Array> {
  const path = join(PROJECT_ROOT, 'deploy/demo/data/hospital-a/brain_t1_stroke01.nii.gz');
  const { voxels, sizeVoxels } = await readVolume({ kind: 'nifti', path, frame: 0 });
  const [, height, depth] = sizeVoxels;
  const pick = (index: number, size: number): number => Math.floor(((index + 0.5) * size) / SIDE);
  const patch = Float32Array.from({ length: SIDE ** 3 }, (_, index) => {
    const [x, y, z] = [Math.floor(index / SIDE ** 2), Math.floor(index / SIDE) % SIDE, index % SIDE];
    return voxels[(pick(x, sizeVoxels[0]) * height + pick(y, height)) * depth + pick(z, depth)] as number;
  });
  const [least, most] = patch.reduce(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Infinity, -Infinity],
  );
  return patch.map((value) => (value - least) / (most - least));
}

describe('gradient inversion of one training step on one patch of a real scan', () => {
  let truth: Float32Array;
  let trained: WeightSet;

  beforeAll(async () => {
    truth = await patchOfScan();
    const optimizer = optimizerPlanSchema.parse({ kind: 'sgd', learningRate: 1, momentum: 0 });
    const learner = Learner.create({ runtime: openRuntime({ threads: 1 }), spec: model, optimizer });
    learner.loadWeights(base);
    // Restoring an undistorted patch: what leaves tells of the network's input, distorted or not.
    learner.step({ patches: 1, sizeVoxels: [SIDE, SIDE, SIDE], input: truth, target: truth });
    trained = learner.readWeights();
    learner.dispose();
  });

  /** What a site sends under the plan, by the trainer's own code, and what the attack makes of it. */
  function recovered(what: string, privacy: PrivacyPlan | undefined, changes: Partial<RoundPlan> = {}) {
    const plan = privatePlan(privacy, { model, ...changes });
    const { tensors } = makeUpdate({ plan, base, kept: {}, mean: undefined, trained, last: trained, steps: 1, noise });
    const delta = decodeUpdate(tensors).find(({ name }) => name === 'conv1.weight')?.values ?? new Float32Array();
    const found = likeness(invertUpdate({ delta, channels: 64, kernel: 7, stride: 2, padding: 3, side: SIDE }), truth);
    process.stderr.write(`red team, ${what}: correlation ${found.correlation.toFixed(4)}, PSNR ${found.psnr.toFixed(1)} dB\n`);
    return found;
  }

  it('recovers the patch from an unprotected update', () => {
    const { correlation, psnr } = recovered('unprotected', undefined);
    expect(correlation).toBeGreaterThan(0.999);
    expect(psnr).toBeGreaterThan(40);
  });

  it('recovers it from what the coordinator sees under the central form: clipping hides nothing', () => {
    const { correlation, psnr } = recovered('clipped only', { ...CENTRAL, clipNorm: 0.01 });
    expect(correlation).toBeGreaterThan(0.999);
    expect(psnr).toBeGreaterThan(40);
  });

  it('recovers nothing under the local form', () => {
    const { correlation, psnr } = recovered('local form, noise 4', LOCAL);
    expect(Math.abs(correlation)).toBeLessThan(0.3);
    expect(psnr).toBeLessThan(15);
  });
});
