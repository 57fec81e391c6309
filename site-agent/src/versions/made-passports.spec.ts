import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfBytes } from '@consilium/shared/kernel';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { readPassport } from '@consilium/shared/wire';
import { writeModelFile } from '../finetuning/answers/model-file.js';
import { writeFinetunedPassport, writeImportedPassport, type WrittenModel } from './made-passports.js';

const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1 });
const finetuning = {
  task: 'liver',
  kind: 'segmentation' as const,
  classes: ['liver'],
  steps: 2,
  bestStep: 2,
  seed: 1,
  cases: { train: 1, validation: 1, test: 1 },
  validationDice: 0.5,
};

describe('the passport of a fine-tuned model', () => {
  let folder = '';
  beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'passports-'))));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  async function write(name: string, seed: number): Promise<WrittenModel> {
    const path = join(folder, name);
    return { path, spec, ...(await writeModelFile(path, { spec, weights: initialWeights(spec, seed) })) };
  }

  async function writeStart(seed: number): Promise<WrittenModel> {
    const start = await write('start.safetensors', seed);
    await writeImportedPassport(start, { digest: digestOfBytes(Buffer.from('checkpoint')), form: 'zip', leftBehind: 0 });
    return start;
  }

  it('holds the whole passport of its start', async () => {
    const [start, made] = [await writeStart(1), await write('made.safetensors', 3)];
    await writeFinetunedPassport(made, finetuning, start);
    const origin = await readPassport(start.path);
    expect(await readPassport(made.path)).toMatchObject({ kind: 'fine-tuned', startedFrom: start.digest, origin });
  });

  it('does not take up that of a model which was made in the place of its start meanwhile', async () => {
    const [start, made] = [await writeStart(1), await write('made.safetensors', 3)];
    await writeStart(2);
    await writeFinetunedPassport(made, finetuning, start);
    expect(await readPassport(made.path)).toMatchObject({ startedFrom: start.digest, origin: null });
  });

  it('names the digest alone where the start has none', async () => {
    const [start, made] = [await write('start.safetensors', 1), await write('made.safetensors', 3)];
    await writeFinetunedPassport(made, finetuning, start);
    expect(await readPassport(made.path)).toMatchObject({ startedFrom: start.digest, origin: null });
  });
});
