import { copyFileSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { EvaluationReport } from '../../site-agent/src/evaluation/segmentation-report.js';
import type { FinetuneSummary } from '../../site-agent/src/finetuning/finetune-and-evaluate.js';
import { readTaskFile } from '../../site-agent/src/finetuning/tasks/task-file.js';
import { readNiftiVolume } from '../../site-agent/src/volumes/nifti/nifti-volume.js';
import { writeNiftiLike } from '../../site-agent/src/volumes/nifti/nifti-writer.js';
import { makeTask } from '../fixtures/make-labelled-cases.js';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { runSiteAgent } from '../fixtures/run-site-agent.js';
import { requireTrainer } from '../fixtures/trainer-site.js';

describe('a model before data of others', () => {
  let folder = '';
  let summary: FinetuneSummary;
  const at = (name: string): string => join(folder, name);

  async function answer<T>(...words: string[]): Promise<T> {
    const { status, stdout, stderr } = await runSiteAgent(folder, ...words, '--threads', '2', '--json');
    if (status !== 0) throw new Error(`exit ${status}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  beforeAll(async () => {
    requireTrainer();
    folder = mkdtempSync(join(tmpdir(), 'consilium-other-data-'));
    // It is not told a modality: the values of its scans say MR.
    summary = await answer<FinetuneSummary>('finetune', makeTask(folder, { modality: undefined }), '--output', at('model'));
    expect(summary.model.test?.meanDice).toBeGreaterThan(0.5);
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

  it('is scored by the label values that those have, of a task of test cases alone', async () => {
    const recoded = await Promise.all(
      readTaskFile(at('task.yaml')).cases.test.map(async ({ name, image, label }) => {
        const volume = await readNiftiVolume(label);
        const path = at(`recoded-${name}.nii.gz`);
        await writeNiftiLike(
          path,
          volume,
          volume.voxels.map((value) => (value === 0 ? 3 : value + 6)),
        );
        return { name, image, label: path };
      }),
    );
    // 3 and 5 are the ball where the model learned it; here 3 is what lies around.
    const classes = [{ name: 'ball', labels: [9, 11] }];
    writeFileSync(
      at('other.yaml'),
      stringify({ name: 'other', kind: 'segmentation', modality: 'MR', classes, cases: { test: recoded } }),
    );
    const report = await answer<EvaluationReport>('evaluate', at('model'), '--task', at('other.yaml'), '--output', at('scores'));
    expect(report.meanDice).toBe(summary.model.test?.meanDice);
  }, 60_000);

  it('is not scored on cases that it has seen, by path or as a copy', async () => {
    const [seen] = readTaskFile(at('task.yaml')).cases.train;
    const [fresh] = readTaskFile(at('task.yaml')).cases.test;
    if (seen === undefined || fresh === undefined) throw new Error('the task has cases');
    copyFileSync(seen.image, at('copy.nii.gz'));
    const classes = [{ name: 'ball', labels: [3, 5] }];
    const test = [fresh, { ...seen, name: 'known' }, { ...seen, name: 'copied', image: at('copy.nii.gz') }];
    writeFileSync(at('leak.yaml'), stringify({ name: 'leak', kind: 'segmentation', classes, cases: { test } }));
    const refused = await runSiteAgent(folder, 'evaluate', at('model'), '--task', at('leak.yaml'), '--output', at('leak'));
    expect(refused).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/TASK_INVALID: cases.test: the model was trained or validated on known, copied\n/) as string,
    });
  }, 60_000);

  it('has a place for its figures before it begins', async () => {
    const words = ['evaluate', at('model'), '--output', at('again'), '--json'];
    expect(await runSiteAgent(folder, ...words, folder)).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/ARGUMENT_INVALID: --json .* is a folder/) as string,
    });
    expect(existsSync(at('again'))).toBe(false);
    const told = await runSiteAgent(folder, ...words, at('new/folder/figures.json'));
    expect(told).toMatchObject({ status: 0, stdout: expect.stringContaining('mean Dice') as string });
    expect(existsSync(at('new/folder/figures.json'))).toBe(true);
  }, 60_000);

  it('is shown and compared without a folder of a site', async () => {
    const shown = await runSiteAgent(folder, '--home', at('no-site'), 'model', 'show', at('model'));
    expect(shown).toMatchObject({ status: 0, stdout: expect.stringContaining('digest') as string });
    const compared = await runSiteAgent(folder, '--home', at('no-site'), 'model', 'compare', at('model'), at('model'));
    expect(compared).toMatchObject({ status: 0, stdout: expect.stringContaining('weights       the same') as string });
    expect(existsSync(at('no-site'))).toBe(false);
  });

  it('answers for scans of the modality that it was trained on, and for others when they are asked for by name', async () => {
    const ct = writeNifti(at('ct.nii.gz'), makePhantom('ct', 'CT'));
    const words = ['predict', '--model', at('model'), '--output', at('masks'), ct];
    const refused = await runSiteAgent(folder, ...words);
    expect(refused.stdout).toMatch(/ct not used: it is CT, and the model was trained on MR[^]*\n {2}\S.*--modality/);
    expect(refused.status).not.toBe(0);
    await answer(...words, '--modality', 'CT');
    expect(existsSync(at('masks/ct_mask.nii.gz'))).toBe(true);
  }, 60_000);
});
