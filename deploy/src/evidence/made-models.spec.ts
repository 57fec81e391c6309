import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfFile } from '@consilium/shared/kernel';
import { MadeModels } from './made-models.js';
import { type RunResult, RunStore } from './run-store.js';
import type { PretrainingRun } from './work-list.js';

const run = { kind: 'pretraining', id: 'pretrain-some', inputs: 'sha256:1' } as unknown as PretrainingRun;

describe('MadeModels', () => {
  let folder: string;
  let recorded: RunStore;
  let models: MadeModels;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'made-models-'));
    recorded = new RunStore(join(folder, 'runs'));
    models = new MadeModels(join(folder, 'models'), recorded);
  });

  afterEach(() => rmSync(folder, { recursive: true }));

  /** Writes the model and returns what its making came to. */
  async function make(bytes: string, wallSeconds = 1): Promise<RunResult> {
    writeFileSync(models.fileOf(run), bytes);
    return {
      id: run.id,
      inputs: run.inputs,
      wallSeconds,
      software: { version: '0', commit: null, node: 'v20' },
      machine: { processor: 'some', cores: 2, jobs: 1, threads: 2 },
      startDigest: null,
      modelDigest: await digestOfFile(models.fileOf(run)),
      figures: {},
    };
  }

  it('finds a model that was made here, and records the first making', async () => {
    expect(await models.find(run)).toBeUndefined();
    const result = await make('weights');
    expect(models.keep(run, result)).toBe(true);
    expect(await models.find(run)).toEqual({ path: models.fileOf(run), digest: result.modelDigest });
    expect(recorded.find(run)).toEqual(result);
  });

  it('uses a model of other bytes that was made again here, says so, and leaves the record as it was', async () => {
    const first = await make('weights');
    models.keep(run, first);
    const again = await make('weights of another processor', 2);
    expect(models.keep(run, again)).toBe(false);
    expect(recorded.find(run)).toEqual(first);
    expect((await models.find(run))?.digest).toBe(again.modelDigest);
  });

  it('says nothing of a model made again with the same bytes', async () => {
    models.keep(run, await make('weights'));
    expect(models.keep(run, await make('weights', 2))).toBe(true);
    expect(recorded.find(run)?.wallSeconds).toBe(1);
  });

  it('takes a model that the record alone tells of', async () => {
    const result = await make('weights');
    recorded.put(result);
    expect((await models.find(run))?.digest).toBe(result.modelDigest);
  });

  it('takes no damaged model, and none that was made from other inputs', async () => {
    models.keep(run, await make('weights'));
    expect(await models.find({ ...run, inputs: 'sha256:2' })).toBeUndefined();
    writeFileSync(models.fileOf(run), 'damaged');
    expect(await models.find(run)).toBeUndefined();
  });
});
