import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, type MedicalnetSpec, medicalnetSpecSchema } from '@consilium/shared/models';
import { readSafetensors, type WeightSet, writeSafetensors } from '@consilium/shared/weights';
import type { OptimizerPlan } from '@consilium/shared/wire';
import { madeFractions, madeWeights } from '../../../test/fixtures/made-network-values.js';
import { describeWithOracle, PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { openRuntime } from '../engine/open-runtime.js';
import type { PatchBatch } from '../training/patch-batch.js';
import { BranchedLearner } from './branched-learner.js';

const runtime = openRuntime({ threads: 2 });
const SIZE = [24, 16, 16] as const;
const BRANCHES = [
  { name: 'one', outputs: 2 },
  { name: 'two', outputs: 4 },
];
const SGD: OptimizerPlan = { kind: 'sgd', learningRate: 0.02, momentum: 0.9, weightDecay: 0.01 };

const spec = (norm: MedicalnetSpec['norm']): MedicalnetSpec => {
  const fields = { depth: 10, width: 2, norm, head: 'branches', branches: BRANCHES };
  return medicalnetSpecSchema.parse({ architecture: 'medicalnet-resnet', ...fields, ...(norm === 'group' ? { groups: 1 } : {}) });
};

function batchOf(branch: number, seed: number): PatchBatch {
  const voxels = 2 * SIZE[0] * SIZE[1] * SIZE[2];
  const outputs = BRANCHES[branch]?.outputs ?? 0;
  const target = Float32Array.from(madeFractions(seed, 1, voxels), (fraction) => Math.floor(fraction * outputs));
  return { patches: 2, sizeVoxels: SIZE, input: Float32Array.from(madeFractions(seed, 0, voxels)), target };
}

function withLearner<T>(norm: MedicalnetSpec['norm'], optimizer: OptimizerPlan, use: (learner: BranchedLearner) => T): T {
  const before = runtime.liveTensors() - runtime.constantCount;
  const learner = BranchedLearner.create({ runtime, spec: spec(norm), optimizer });
  try {
    return use(learner);
  } finally {
    learner.dispose();
    expect(runtime.liveTensors() - runtime.constantCount).toBe(before);
  }
}

const changed = (before: WeightSet, after: WeightSet): string[] =>
  after.filter(({ values }, index) => values.some((value, i) => value !== before[index]?.values[i])).map(({ name }) => name);

describe('a learner with branches', () => {
  const start = initialWeights(spec('batch'), 1);

  it('updates the encoder and the branch of the batch, and leaves the others with all that belongs to them', () => {
    withLearner('batch', SGD, (learner) => {
      learner.loadWeights(start);
      learner.step('two', batchOf(1, 5)); // gives the branch a momentum that would move it
      const [weights, slots] = [learner.readWeights(), learner.readOptimizerState()];
      learner.step('one', batchOf(0, 6));
      const moved = changed(weights, learner.readWeights());
      expect(moved).toContain('conv1.weight');
      expect(moved).toContain('bn1.running_mean');
      expect(moved.filter((name) => name.startsWith('branches.'))).toEqual(['branches.one.weight', 'branches.one.bias']);
      const movedSlots = changed(slots, learner.readOptimizerState());
      expect(movedSlots.some((name) => name.startsWith('branches.one/'))).toBe(true);
      expect(movedSlots.filter((name) => name.startsWith('branches.two/'))).toEqual([]);
    });
  });

  it('gives gradients of the encoder and that branch, and nothing of the others', () => {
    withLearner('batch', SGD, (learner) => {
      learner.loadWeights(start);
      const { gradients } = learner.lossAndGradients('two', batchOf(1, 5));
      const branches = gradients.map(({ name }) => name).filter((name) => name.startsWith('branches.'));
      expect(branches).toEqual(['branches.two.weight', 'branches.two.bias']);
      expect(gradients.every(({ values }) => values.some((value) => value !== 0))).toBe(true);
    });
  });

  it('goes on to the same bits from its weights and its state', () => {
    const steps = [0, 1, 1, 0, 1];
    const walk = (learner: BranchedLearner, from: number, to: number): void => {
      for (const [i, branch] of steps.entries()) {
        if (i >= from && i < to) learner.step(BRANCHES[branch]?.name ?? '', batchOf(branch, i));
      }
    };
    const adam: OptimizerPlan = { kind: 'adam', learningRate: 0.01, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 };
    const whole = withLearner('batch', adam, (learner) => {
      learner.loadWeights(start);
      walk(learner, 0, 5);
      return learner.readWeights();
    });
    const half = withLearner('batch', adam, (learner) => {
      learner.loadWeights(start);
      walk(learner, 0, 3);
      return { weights: learner.readWeights(), state: learner.readOptimizerState() };
    });
    const resumed = withLearner('batch', adam, (learner) => {
      learner.loadWeights(half.weights);
      learner.loadOptimizerState(half.state);
      walk(learner, 3, 5);
      return learner.readWeights();
    });
    expect(resumed).toEqual(whole);
  });

  it('predicts probabilities of the classes of its branch', () => {
    withLearner('instance', SGD, (learner) => {
      learner.loadWeights(initialWeights(spec('instance'), 1));
      const { input } = batchOf(1, 2);
      const voxels = input.length / 2;
      const values = learner.predict('two', input.subarray(0, voxels), SIZE);
      expect(values).toHaveLength(4 * voxels);
      for (let voxel = 0; voxel < voxels; voxel++) {
        const sum = values.subarray(4 * voxel, 4 * voxel + 4).reduce((total, value) => total + value, 0);
        expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
      }
    });
  });
});

/** PyTorch in 64 bits: the reference network, softmax Dice and cross-entropy, SGD that skips parameters without a gradient. */
const TRAINING = `
import json, sys
import torch
from safetensors.numpy import load_file, save_file
folder, fixtures = sys.argv[1:]
sys.path.insert(0, fixtures)
import reference_networks
plan = json.load(open(folder + "/plan.json"))
net = reference_networks.build(plan["spec"]).double()
net.load_state_dict({name: torch.from_numpy(value).double() for name, value in load_file(folder + "/start.safetensors").items()})
optimizer = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9, weight_decay=0.01)
batches = load_file(folder + "/batches.safetensors")
losses = []
for step, name in enumerate(plan["turns"]):
    x = torch.from_numpy(batches[f"input{step}"]).double().movedim(-1, 1)
    y = torch.from_numpy(batches[f"target{step}"]).long()[..., 0]
    optimizer.zero_grad(set_to_none=True)
    answer = net.branches[name](net.encode(x))
    answer = torch.nn.functional.interpolate(answer, size=x.shape[2:], mode="trilinear", align_corners=False)
    p, t = answer.softmax(1), torch.nn.functional.one_hot(y, answer.shape[1]).movedim(-1, 1).double()
    both, sums = (p * t).sum((0, 2, 3, 4))[1:], (p + t).sum((0, 2, 3, 4))[1:]
    loss = (1 - (2 * both + 1e-5) / (sums + 1e-5)).mean() + torch.nn.functional.cross_entropy(answer, y)
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
save_file({name: value.detach().float().numpy() for name, value in net.state_dict().items()}, folder + "/end.safetensors")
print(json.dumps(losses))`;

describeWithOracle('turns of two branches beside PyTorch', (python) => {
  const folder = mkdtempSync(join(tmpdir(), 'branched-learner-'));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it('have the same losses and end at the same weights', async () => {
    const turns = [0, 1, 1, 0, 1, 0];
    const model = spec('group');
    const batches = turns.map((branch, step) => batchOf(branch, step));
    const shaped = (kind: 'input' | 'target') =>
      batches.map((batch, step) => ({ name: `${kind}${step}`, shape: [2, ...SIZE, 1], values: batch[kind] }));
    await writeSafetensors(join(folder, 'start.safetensors'), madeWeights(model, 0));
    await writeSafetensors(join(folder, 'batches.safetensors'), [...shaped('input'), ...shaped('target')]);
    const names = turns.map((branch) => BRANCHES[branch]?.name ?? '');
    writeFileSync(join(folder, 'plan.json'), JSON.stringify({ spec: model, turns: names }));
    const fixtures = join(PROJECT_ROOT, 'test/fixtures/network-goldens');
    const said = execFileSync(python, ['-B', '-c', TRAINING, folder, fixtures], { encoding: 'utf8' });
    const expected = new Map((await readSafetensors(join(folder, 'end.safetensors'))).weights.map((t) => [t.name, t.values]));

    const { losses, weights } = withLearner('group', SGD, (learner) => {
      learner.loadWeights(madeWeights(model, 0));
      return { losses: names.map((name, i) => learner.step(name, batches[i] as PatchBatch)), weights: learner.readWeights() };
    });
    (JSON.parse(said) as number[]).forEach((loss, step) => expect(losses[step]).toBeCloseTo(loss, 4));
    const start = new Map(madeWeights(model, 0).map(({ name, values }) => [name, values]));
    for (const { name, values } of weights) {
      const [wanted, from] = [expected.get(name) as Float32Array, start.get(name) as Float32Array];
      const length = Math.hypot(...wanted.map((value, i) => value - (from[i] as number)));
      const apart = Math.hypot(...values.map((value, i) => value - (wanted[i] as number)));
      expect({ name, fits: apart <= 0.01 * length }).toEqual({ name, fits: true });
    }
  }, 120_000);
});
