import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, manifestOf, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import { FilesystemBlobStore } from '../blobs/filesystem-blob-store.js';
import { initialVersion } from './initial-version.js';

describe('version 1', () => {
  const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
  let folder: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'blobs-'));
  });

  afterEach(() => rm(folder, { recursive: true }));

  it('has the same digest for the same spec and seed, another for another seed', async () => {
    const blobs = new FilesystemBlobStore(folder);
    const [one, again, other] = [
      await blobs.write(initialVersion(spec, 5)),
      await blobs.write(initialVersion(spec, 5)),
      await blobs.write(initialVersion(spec, 6)),
    ];
    expect(again).toEqual(one);
    expect(other.digest).not.toBe(one.digest);
    const { weights } = await readSafetensors(await blobs.localPath(one.digest));
    expect(weights.map(({ name }) => name)).toEqual(manifestOf(spec).tensors.map(({ name }) => name));
    expect(weights.map(({ values }) => [...values])).toEqual(initialWeights(spec, 5).map(({ values }) => [...values]));
  });
});
