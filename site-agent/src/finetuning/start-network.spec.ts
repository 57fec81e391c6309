import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { classificationFileSchema, type ClassificationTask } from './tasks/classification-task.js';
import { writeModelFile } from './answers/model-file.js';
import { type SegmentationTask, segmentationFileSchema } from './tasks/segmentation-task.js';
import { openStart, scratchTask } from './start-network.js';

let folder = '';
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'start-network-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const none = { train: [], validation: [], test: [] };
function classification(changes: object = {}): ClassificationTask {
  const fields = { name: 'x', kind: 'classification', classes: ['a', 'b', 'c'], split: 'x.csv', ...changes };
  return { ...classificationFileSchema.parse(fields), cases: none };
}
function segmentation(changes: object = {}): SegmentationTask {
  const fields = { name: 'x', kind: 'segmentation', classes: [{ name: 'a', labels: [1] }], split: 'x.csv', ...changes };
  return { ...segmentationFileSchema.parse(fields), cases: none };
}

/** A start model's file, and its digest. */
async function model(fields: object): Promise<{ from: string; digest: string }> {
  const spec = modelSpecSchema.parse(fields);
  const from = join(folder, 'model.safetensors');
  const { digest } = await writeModelFile(from, { spec, weights: initialWeights(spec, 9) });
  return { from, digest };
}

const GROUPED = { architecture: 'genesis-unet3d', width: 2, norm: 'group', groups: 2 };

describe('the network of a classification', () => {
  it("is the start U-Net's encoder with its norm, and a head for the task", async () => {
    const { from, digest } = await model(GROUPED);
    const model3 = { architecture: 'genesis-classifier', hiddenFeatures: 6 };
    const start = await openStart(classification({ start: { from }, model: model3 }));
    expect(start.spec).toEqual({
      architecture: 'genesis-classifier',
      width: 2,
      norm: 'group',
      groups: 2,
      inputChannels: 1,
      hiddenFeatures: 6,
      outputs: 3,
    });
    expect(start.digest).toBe(digest);
    expect(start.loaded).toHaveLength(32);
    expect(start.fresh).toHaveLength(4);
  });

  it('has one output with binary cross-entropy, from scratch too', async () => {
    const two = { classes: ['a', 'b'], training: { loss: 'bce' }, model: { architecture: 'genesis-classifier', width: 1 } };
    expect((await openStart(classification(two))).spec).toMatchObject({ outputs: 1, width: 1 });
    const resnet = { classes: ['a', 'b'], model: { architecture: 'medicalnet-resnet', width: 1 } };
    expect((await openStart(classification(resnet))).spec).toMatchObject({ head: 'classification', outputs: 2 });
  });

  it("is a MedicalNet's encoder with a linear layer", async () => {
    const { from } = await model({ architecture: 'medicalnet-resnet', width: 1 });
    const start = await openStart(classification({ start: { from } }));
    expect(start.spec).toMatchObject({ architecture: 'medicalnet-resnet', head: 'classification', outputs: 3 });
    expect(start.fresh).toEqual(['fc.weight', 'fc.bias']);
  });

  it('is the same for a scratch run beside it', async () => {
    const { from } = await model(GROUPED);
    const task = classification({ start: { from } });
    const { spec } = await openStart(task);
    expect((await openStart(scratchTask(task, spec))).spec).toEqual(spec);
  });

  it('is refused where its norm would see one voxel, and where the start has no classifier', async () => {
    const tiny = classification({ patchSizeVoxels: [8, 8, 8], model: { architecture: 'genesis-classifier', width: 1 } });
    await expect(openStart(tiny)).rejects.toMatchObject({
      code: 'TASK_INVALID',
      remedy: expect.stringContaining('16') as string,
    });
    const { from } = await model({
      architecture: 'residual-unet3d',
      stages: [
        { features: 2, blocks: 1, stride: 1 },
        { features: 2, blocks: 1 },
      ],
    });
    await expect(openStart(classification({ start: { from } }))).rejects.toMatchObject({ code: 'ARGUMENT_INVALID' });
  });
});

describe('the network of a segmentation', () => {
  it('may be made of a classifier, when its decoder is to be fresh', async () => {
    const { from } = await model({ architecture: 'genesis-classifier', width: 2, hiddenFeatures: 4 });
    await expect(openStart(segmentation({ start: { from } }))).rejects.toThrow(/no answer per voxel/);
    const { spec, loaded, fresh } = await openStart(segmentation({ start: { from, fresh: ['decoder'] } }));
    expect(spec).toMatchObject({ architecture: 'genesis-unet3d', width: 2, outputs: 1 });
    expect(loaded).toHaveLength(32);
    expect(fresh.every((name) => /^[ud][123]\.|^out\./.test(name))).toBe(true);
  });
});
