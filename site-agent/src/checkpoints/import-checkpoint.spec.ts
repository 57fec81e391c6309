import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportCheckpoint, initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { PytorchFile, savedState } from '@consilium/shared/weights';
import { madeWeights } from '../../../test/fixtures/made-network-values.js';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import { readModelFile } from '../finetuning/answers/model-file.js';
import { importCheckpoint } from './import-checkpoint.js';

const golden = (name: string): string => join(PROJECT_ROOT, 'test/fixtures/pytorch-checkpoints', name);
const GENESIS = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1, norm: 'batch' });
const resnet = (fields: object) => modelSpecSchema.parse({ architecture: 'medicalnet-resnet', width: 1, ...fields });

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'consilium-import-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

describe('checkpoints that PyTorch wrote, read without Python', () => {
  it.each([
    ['genesis-zip.pt', 'zip', GENESIS, 1, ['epoch', 'optimizer_state_dict']],
    ['genesis-legacy.pt', 'legacy', GENESIS, 2, ['epoch', 'optimizer_state_dict']],
    ['resnet10-legacy.pth', 'legacy', resnet({ depth: 10, shortcut: 'B' }), 3, ['ecpoch', 'batch_id', 'optimizer']],
    ['resnet18-zip.pth', 'zip', resnet({ depth: 18, shortcut: 'A', head: 'none' }), 4, ['ecpoch', 'batch_id', 'optimizer']],
  ])('%s', async (name, format, spec, seed, otherMembers) => {
    const imported = await importCheckpoint(golden(name));
    expect(imported).toMatchObject({ format, spec, otherMembers, leftBehind: [] });
    expect(imported.weights).toEqual(madeWeights(spec, seed));
    // Models Genesis: two statistics and a counter for each of 14 norms. MedicalNet: counters only, its statistics are weights.
    const norms =
      spec.architecture === 'genesis-unet3d' ? 3 * 14 : imported.weights.filter((w) => w.name.endsWith('running_var')).length;
    expect(imported.bookKeeping).toHaveLength(norms);
    expect((await readModelFile(golden(name))).weights).toEqual(imported.weights);
  });

  it('are refused when they are not the network that was asked for', async () => {
    await expect(importCheckpoint(golden('genesis-zip.pt'), 'medicalnet-resnet')).rejects.toMatchObject({
      code: 'MANIFEST_MISMATCH',
      message: expect.stringMatching(/not a medicalnet-resnet/) as string,
    });
  });
});

describe('checkpoints of ours', () => {
  it.each([
    { spec: { architecture: 'genesis-unet3d', width: 1, norm: 'batch' }, published: true },
    { spec: { architecture: 'genesis-unet3d', width: 2, norm: 'group', groups: 2, outputs: 3 }, published: false },
    {
      spec: { architecture: 'genesis-unet3d', width: 1, norm: 'batch', batchStatistics: 'training', upsampling: 'nearest' },
      published: false,
    },
    { spec: { architecture: 'medicalnet-resnet', depth: 34, width: 1 }, published: true },
    {
      spec: { architecture: 'medicalnet-resnet', depth: 50, width: 1, head: 'classification', norm: 'instance' },
      published: false,
    },
    { spec: { architecture: 'genesis-classifier', width: 1, hiddenFeatures: 3 }, published: false },
  ])('come back as they were: $spec', async ({ spec: fields, published }) => {
    const spec = modelSpecSchema.parse(fields);
    const weights = initialWeights(spec, 5);
    const path = join(folder, 'ours.pt');
    await exportCheckpoint(path, { spec, weights }, { dtype: 'F32', published });
    const imported = await importCheckpoint(path);
    expect({ spec: imported.spec, weights: imported.weights }).toEqual({ spec, weights });
    expect(imported.leftBehind).toEqual([]);
  });

  it('have the names, in the order, of the published one', async () => {
    const path = join(folder, 'published.pt');
    const spec = { ...GENESIS };
    await exportCheckpoint(path, { spec, weights: initialWeights(spec, 1) }, { dtype: 'F32', published: true });
    const namesIn = async (file: PytorchFile): Promise<string[]> => {
      const names = [...savedState(file.value).tensors.keys()];
      await file.close();
      return names;
    };
    expect(await namesIn(await PytorchFile.open(path))).toEqual(await namesIn(await PytorchFile.open(golden('genesis-zip.pt'))));
  });

  it.each([
    [{ architecture: 'genesis-unet3d', norm: 'instance' }, /instance norm/],
    [{ architecture: 'genesis-unet3d', norm: 'batch', upsampling: 'nearest' }, /nearest/],
    [{ architecture: 'genesis-unet3d', norm: 'batch', batchStatistics: 'training' }, /running statistics/],
    [{ architecture: 'genesis-classifier', norm: 'batch', width: 1 }, /neither/],
  ])('are not called published when no published module is the network: %j', async (fields, words) => {
    const spec = modelSpecSchema.parse({ width: 1, ...fields });
    const writing = exportCheckpoint(
      join(folder, 'no.pt'),
      { spec, weights: initialWeights(spec, 1) },
      { dtype: 'F32', published: true },
    );
    await expect(writing).rejects.toMatchObject({ code: 'ARGUMENT_INVALID', message: expect.stringMatching(words) as string });
  });
});
