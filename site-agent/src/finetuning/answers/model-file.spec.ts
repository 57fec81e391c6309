import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, modelMetadata, modelSpecSchema } from '@consilium/shared/models';
import { writeSafetensors } from '@consilium/shared/weights';
import { readModelFile, requireSegmentation, type SegmentationFacts, writeModelFile } from './model-file.js';

const spec = (overrides: object = {}) => modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2, ...overrides });
const facts: SegmentationFacts = {
  task: 'liver',
  modality: 'CT',
  classes: [{ name: 'liver', labels: [1] }],
  patchSizeVoxels: [32, 32, 16],
};

let folder = '';
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), 'model-file-'))));
afterEach(async () => rm(folder, { recursive: true, force: true }));

describe('model file', () => {
  it('gives back spec, weights and task facts, from the file or its folder', async () => {
    const path = join(folder, 'model.safetensors');
    const weights = initialWeights(spec({ norm: 'batch' }), 1);
    const { digest } = await writeModelFile(path, { spec: spec({ norm: 'batch' }), weights, segmentation: facts });
    const model = await readModelFile(path);
    expect(model).toEqual({ path, digest, spec: spec({ norm: 'batch' }), weights, segmentation: facts });
    expect(await readModelFile(folder)).toEqual(model);
    expect(requireSegmentation(model)).toEqual(facts);
  });

  it.each(['batch', 'instance'])('reads a %s-norm version as a coordinator writes it', async (norm) => {
    const path = join(folder, 'version.safetensors');
    const metadata = { ...modelMetadata('pretrained', spec({ norm })), version: '3' };
    await writeSafetensors(path, initialWeights(spec({ norm }), 1), { metadata });
    const model = await readModelFile(path);
    expect(model.spec).toEqual(spec({ norm }));
    expect(() => requireSegmentation(model)).toThrow(/pretrained only/);
  });

  it("tells width and up-sampling of another program's file from its tensors; its norm is the published batch norm", async () => {
    const path = join(folder, 'bare.safetensors');
    const nearest = spec({ width: 3, upsampling: 'nearest', outputs: 2, norm: 'batch' });
    await writeSafetensors(path, initialWeights(nearest, 1));
    expect((await readModelFile(path)).spec).toEqual(nearest);
  });

  it('refuses absent files, other networks and damaged facts with their codes', async () => {
    await expect(readModelFile(join(folder, 'none'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(readModelFile(folder)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const path = join(folder, 'other.safetensors');
    await writeSafetensors(path, [{ name: 'x', shape: [1], values: new Float32Array(1) }]);
    await expect(readModelFile(path)).rejects.toMatchObject({ code: 'MANIFEST_MISMATCH' });
    await writeSafetensors(path, initialWeights(spec(), 1), { metadata: { modelSpec: '{' } });
    await expect(readModelFile(path)).rejects.toMatchObject({ code: 'WEIGHTS_MALFORMED' });
    await writeFile(path, 'text');
    await expect(readModelFile(path)).rejects.toMatchObject({ code: 'WEIGHTS_MALFORMED' });
  });
});
