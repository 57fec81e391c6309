import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { AgentJournal } from '../agent/agent-journal.js';
import { modelFile, siteFolder } from '../config/site-folder.js';
import { foldFolder } from '../finetuning/tasks/finetune-folder.js';
import { writeModelFile } from '../finetuning/answers/model-file.js';
import { findModel, findStart, openTaskModel } from './find-model.js';

const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 1 });
const segmentation = {
  task: 'ball',
  classes: [{ name: 'ball', labels: [1] }],
  patchSizeVoxels: [16, 16, 16] as [number, number, number],
};
let home = '';
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'find-model-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

function inJournal<T>(use: (journal: AgentJournal) => T): T {
  const journal = AgentJournal.open(siteFolder(home).databaseFile);
  try {
    return use(journal);
  } finally {
    journal.close();
  }
}

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
  inJournal((journal) => journal.noteVersion(campaign, { number, digest, bytes }, 1));
  return path;
}

/** A fine-tuned model in a folder of its own; returns the path of the file. */
async function finetuned(name: string, seed = 1) {
  mkdirSync(join(home, name), { recursive: true });
  const path = join(home, name, 'model.safetensors');
  const { digest } = await writeModelFile(path, { spec, weights: initialWeights(spec, seed), segmentation });
  return { path, digest };
}

describe('the model that a human names', () => {
  it('is found by campaign and version, or as the latest one whose file is there', async () => {
    const first = await fetched('universal', 2, 2);
    const second = await fetched('universal', 10, 10);
    await fetched('universal', 11);
    await fetched('other', 12, 12);
    expect(await findModel('universal@2', home)).toBe(first);
    expect(await findModel('universal', home)).toBe(second);
    expect(await findModel('universal@latest', home)).toBe(second);
    await expect(findModel('universal@11', home)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      remedy: expect.stringMatching(/universal, these are here: (2, 10|10, 2)\..*model pull/) as string,
    });
    await expect(findModel('none@1', home)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('is a pin of a version, or of a file of its own that has stayed as it was', async () => {
    const version = await fetched('universal', 2, 2);
    const own = await finetuned('tuned');
    inJournal((journal) => {
      const [noted] = journal.versions();
      if (noted === undefined) throw new Error('a version was noted');
      journal.pin('good', noted);
      journal.pinFile({ name: 'liver', ...own });
    });
    expect(await findModel('good', home)).toBe(version);
    expect(await findModel('liver', home)).toBe(own.path);
    expect((await openTaskModel('liver', home)).segmentation?.task).toBe('ball');
    await finetuned('tuned', 2);
    await expect(findModel('liver', home)).rejects.toMatchObject({
      code: 'DIGEST_MISMATCH',
      remedy: expect.stringContaining('model pin') as string,
    });
    rmSync(own.path);
    await expect(findModel('liver', home)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no longer at/) as string,
    });
    inJournal((journal) => journal.pinFile({ name: 'good', ...own }));
    expect(inJournal((journal) => journal.pins())).toEqual([]);
    inJournal((journal) => journal.unpin('good'));
    expect(inJournal((journal) => journal.pinnedFiles().map(({ name }) => name))).toEqual(['liver']);
  });

  it('is a file or a folder that holds one, from the folder that is asked from, before it is a name', async () => {
    const version = await fetched('tuned', 2, 2);
    const { path } = await finetuned('tuned');
    expect(await findModel('tuned', home, home)).toBe(path);
    expect(await findModel('tuned/model.safetensors', home, home)).toBe(path);
    rmSync(path);
    expect(await findModel('tuned', home, home)).toBe(version); // a folder without a model is not meant
    rmSync(version);
    await expect(findModel('tuned', home, home)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/holds no model/) as string,
    });
  });

  it('is never a folder of folds as a whole', async () => {
    await finetuned('whole/fold-2');
    await finetuned('whole/fold-10');
    await expect(findModel('whole', home, home)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/each of its 2 folds/) as string,
      remedy: expect.stringContaining(foldFolder(join(home, 'whole'), 2)) as string,
    });
  });

  it('is only a path where there is no site', async () => {
    const { path } = await finetuned('tuned');
    const nowhere = join(home, 'no-site');
    expect(await findModel(path, nowhere)).toBe(path);
    await expect(findModel('universal@1', nowhere)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      remedy: expect.stringContaining(nowhere) as string,
    });
  });

  it('must have a task where one is to be done', async () => {
    await fetched('universal', 2, 2);
    await expect(openTaskModel('universal@2', home)).rejects.toMatchObject({
      code: 'ARGUMENT_INVALID',
      message: expect.stringMatching(/universal@2 is pretrained only/) as string,
      remedy: expect.stringContaining('finetune TASK.yaml --from universal@2') as string,
    });
    await expect(openTaskModel('scratch', home)).rejects.toMatchObject({
      code: 'NOT_FOUND',
      message: expect.stringMatching(/no model/) as string,
    });
  });
});

describe('the start of a training', () => {
  it('is scratch by its word, whatever is called so, and else a model that reads', async () => {
    const { path } = await finetuned('scratch');
    expect(await findStart('scratch', home, home)).toBe('scratch');
    expect(await findStart('./scratch', home, home)).toBe(path);
    await expect(findStart(join(home, 'none.safetensors'), home)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
