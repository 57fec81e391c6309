import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { readNiftiHeader } from './nifti-scan.js';
import { readNiftiVolume, readNiftiVolumes } from './nifti-volume.js';

/** What nibabel makes of a file; see make-drawn-goldens.py beside the data. */
interface Drawn {
  readonly file: string;
  readonly shape: readonly number[];
  readonly orientation: string;
  readonly affine: readonly number[];
  readonly frames: readonly string[];
}

const cases = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/nifti-goldens/drawn-goldens.json'), 'utf8')) as Drawn[];

describe('files with drawn headers, as nibabel reads them', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'drawn-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  // Names say the opposite of what the files are: the content decides.
  it.each(cases.map((drawn, index) => [index, drawn] as const))('case %i', async (index, drawn) => {
    const compressed = Buffer.from(drawn.file, 'base64');
    const path = join(folder, index % 2 === 0 ? 'drawn.nii' : 'drawn.nii.gz');
    writeFileSync(path, index % 2 === 0 ? compressed : gunzipSync(compressed));
    const { geometry } = await readNiftiHeader(path);
    expect(geometry).toMatchObject({ sizeVoxels: drawn.shape, orientation: drawn.orientation, frames: drawn.frames.length });
    drawn.affine.forEach((entry, at) => expect(geometry.affine[at]).toBeCloseTo(entry, 6));
    const digests: string[] = [];
    for await (const volume of readNiftiVolumes(path)) {
      expect(volume.sizeVoxels).toEqual(drawn.shape);
      digests.push(digestOf(volume.voxels));
    }
    expect(digests).toEqual(drawn.frames);
    const last = drawn.frames.length - 1;
    expect(digestOf((await readNiftiVolume(path, last)).voxels)).toBe(drawn.frames[last]);
  });
});

function digestOf(voxels: Float32Array): string {
  return createHash('sha256').update(new Uint8Array(voxels.buffer)).digest('hex').slice(0, 16);
}
