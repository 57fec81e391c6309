import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { AgentJournal } from '../agent/agent-journal.js';
import { modelFile, siteFolder } from '../config/site-folder.js';
import { writeModelFile } from '../finetuning/model-file.js';
import { locateStart } from './start-model.js';

const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1 });
let home = '';
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'start-model-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

/** A version in the journal; its file only where `seed` is given. */
async function fetched(campaign: string, number: number, seed?: number): Promise<string> {
  const folder = siteFolder(home);
  mkdirSync(folder.modelsFolder, { recursive: true });
  const { digest, bytes } = await writeModelFile(join(home, 'next.safetensors'), {
    spec,
    weights: initialWeights(spec, seed ?? number),
  });
  const path = modelFile(folder, digest);
  if (seed !== undefined) await writeModelFile(path, { spec, weights: initialWeights(spec, seed) });
  const journal = AgentJournal.open(folder.databaseFile);
  journal.noteVersion(campaign, { number, digest, bytes }, 1);
  journal.close();
  return path;
}

describe('the start of a fine-tuning', () => {
  it('is found by campaign and version, or as the latest one whose file is there', async () => {
    const first = await fetched('universal', 2, 2);
    const second = await fetched('universal', 10, 10);
    await fetched('universal', 11);
    await fetched('other', 12, 12);
    expect(await locateStart('universal@2', home)).toBe(first);
    expect(await locateStart('universal@latest', home)).toBe(second);
    await expect(locateStart('universal@11', home)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      remedy: expect.stringMatching(/universal, these are here: 2, 10|10, 2/) as string,
    });
    await expect(locateStart('none@1', home)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is a file where there is one, and scratch by its word', async () => {
    const path = join(home, 'model@3');
    await writeModelFile(path, { spec, weights: initialWeights(spec, 1) });
    expect(await locateStart(path, home)).toBe(path);
    expect(await locateStart('scratch', home)).toBe('scratch');
    await expect(locateStart(join(home, 'none.safetensors'), home)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
