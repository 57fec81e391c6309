import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import type { ClassificationReport } from '../../site-agent/src/evaluation/classification-report.js';
import type { ClassificationFigures } from '../../site-agent/src/evaluation/evaluate-classification.js';
import type { FinetuneSummary } from '../../site-agent/src/finetuning/finetune-and-evaluate.js';
import type { FoldsSummary } from '../../site-agent/src/finetuning/finetune-folds.js';
import { readModelFile, writeModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import { makeClassification, makePatchClassification } from '../fixtures/make-classified-images.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { eventually, requireTrainer } from '../fixtures/trainer-site.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');

let folder = '';
beforeAll(() => {
  requireTrainer();
  folder = mkdtempSync(join(tmpdir(), 'consilium-classification-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

function start(...words: string[]) {
  const program = spawn(process.execPath, [PROGRAM, '--home', join(folder, 'site'), ...words], { cwd: folder });
  let [stdout, stderr] = ['', ''];
  program.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  program.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const ended = new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) =>
    program.on('close', (status) => resolve({ status, stdout, stderr })),
  );
  return { program, ended };
}

/** The figures that the program writes. */
async function figures<T>(...words: string[]): Promise<T> {
  const file = join(folder, 'figures.json');
  await rm(file, { force: true });
  const ended = await start(...words, '--threads', '1', '--json', file).ended;
  if (ended.status !== 0) throw new Error(`exit ${ended.status}: ${ended.stderr}`);
  return JSON.parse(readFileSync(file, 'utf8')) as T;
}

describe('fine-tuning for classification', () => {
  it('tells whole scans apart, held-out patients included, and the model file says all that is needed', async () => {
    const output = join(folder, 'whole');
    const summary = await figures<FinetuneSummary>('finetune', makeClassification(join(folder, 'a')), '--output', output);
    const { classified, bestValidationAuc } = summary.model;
    process.stderr.write(`whole scans: AUC ${classified?.auc} on ${summary.cases.test} held-out scans\n`);
    expect(summary.cases).toEqual({ train: 12, validation: 6, test: 6 });
    expect(classified?.auc).toBeGreaterThan(0.9);
    expect(bestValidationAuc).toBeGreaterThan(0.9);
    for (const { probabilities } of classified?.cases ?? [])
      expect(probabilities.reduce((sum, value) => sum + value)).toBeCloseTo(1, 5);
    const { classification, segmentation } = await readModelFile(output);
    expect(segmentation).toBeUndefined();
    expect(classification).toMatchObject({ input: 'whole', fit: 'pad', outputs: 2, startedFrom: 'scratch', modality: 'MR' });
    expect(readFileSync(join(output, 'results.csv'), 'utf8')).toMatch(
      /^case,patient,class,predicted,probability_plain,probability_ball\n/,
    );
  }, 180_000);

  it("tells patches apart around the file's own voxels, with one output", async () => {
    const summary = await figures<FinetuneSummary>(
      'finetune',
      makePatchClassification(join(folder, 'b')),
      '--output',
      join(folder, 'p'),
    );
    process.stderr.write(`patches: AUC ${summary.model.classified?.auc}\n`);
    expect(summary.model.classified?.auc).toBeGreaterThan(0.9);
    expect((await readModelFile(join(folder, 'p'))).classification?.outputs).toBe(1);
  }, 180_000);

  it("probes a pretrained encoder without changing a bit of it, and keeps the start's digest", async () => {
    const spec = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
    const pretrained = join(folder, 'pretrained.safetensors');
    const weights = initialWeights(spec, 3);
    const { digest } = await writeModelFile(pretrained, { spec, weights });
    const task = makeClassification(join(folder, 'c'), { training: { steps: 6, validateEverySteps: 3, mode: 'linear-probe' } });
    const summary = await figures<FinetuneSummary>('finetune', task, '--from', pretrained, '--output', join(folder, 'probe'));
    expect(summary.model.startedFrom).toBe(digest);
    const trained = new Map((await readSafetensors(summary.model.modelPath)).weights.map((tensor) => [tensor.name, tensor]));
    const encoder = weights.filter(({ name }) => name.startsWith('e'));
    expect(encoder).toHaveLength(32);
    for (const tensor of encoder) expect(trained.get(tensor.name)).toEqual(tensor);
    expect(summary.model.freshParameters).toEqual(['head.0.weight', 'head.0.bias', 'head.2.weight', 'head.2.bias']);
    expect((await readModelFile(summary.model.modelPath)).classification?.startedFrom).toBe(digest);
  }, 120_000);
});

describe('folds', () => {
  const changes = { holdOut: undefined, folds: { count: 3, seed: 1 }, training: { steps: 24, validateEverySteps: 8 } };

  it('continue after kill -9 of the program and end with the same models; every case is tested once', async () => {
    const task = makeClassification(join(folder, 'd'), changes);
    const calm = await figures<FoldsSummary>('finetune', task, '--output', join(folder, 'calm'));
    const output = join(folder, 'killed');
    const running = start('finetune', task, '--output', output, '--threads', '1');
    await eventually(() => existsSync(join(output, 'fold-2/work/checkpoint.safetensors')), 60_000);
    running.program.kill('SIGKILL');
    await running.ended;
    expect(existsSync(join(output, 'fold-1/model.safetensors'))).toBe(true);
    expect(existsSync(join(output, 'summary.json'))).toBe(false);
    const resumed = await figures<FoldsSummary>('finetune', task, '--output', output);
    const digests = ({ runs }: FoldsSummary) => runs.map(({ summary }) => summary.model.digest);
    expect(digests(resumed)).toEqual(digests(calm));
    expect(new Set(digests(calm)).size).toBe(3);
    expect(resumed.model).toEqual(calm.model);
    expect(resumed.model['testAuc']?.folds).toBe(3);
    const tested = calm.runs.flatMap(({ summary }) => summary.model.classified?.cases.map(({ name }) => name) ?? []);
    expect(tested.sort()).toEqual(Array.from({ length: 24 }, (_, number) => `scan-${number}`).sort());
    const whole = JSON.parse(readFileSync(join(output, 'results.json'), 'utf8')) as ClassificationReport;
    expect(whole.cases).toHaveLength(24);
    expect(resumed.outOfFold).toMatchObject({ cases: 24, model: { auc: whole.auc, folds: whole.folds }, scratch: null });
    expect(whole.folds?.meanAuc).toBeCloseTo(resumed.model['testAuc']?.mean ?? NaN, 12);
    expect(readFileSync(join(output, 'report.html'), 'utf8')).toContain('mean of the folds’ areas');
    for (const name of ['results.json', 'results.csv', 'report.html']) await rm(join(output, name));
    const evaluated = await figures<ClassificationFigures>('evaluate', output);
    expect(evaluated).toEqual({ ...whole, startedFrom: 'scratch', scratch: null, comparison: null });
    expect(JSON.parse(readFileSync(join(output, 'results.json'), 'utf8'))).toEqual(whole);
    const single = await figures<FoldsSummary>('finetune', task, '--output', output, '--fold', '2');
    expect(digests(single)).toEqual(digests(calm).slice(1, 2));
  }, 300_000);

  it('are asked for by a number that there is', async () => {
    const task = join(folder, 'd/task.yaml');
    expect(await start('finetune', task, '--fold', '4').ended).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('the folds 1 to 3') as string,
    });
  }, 60_000);
});

describe('the printed example', () => {
  it.each([
    ['segmentation', /folders\.images: the folder .*images cannot be read/],
    ['classification', /split file .*cases\.csv cannot be read/],
  ])(
    'of a %s is a task file that lacks nothing but its scans',
    async (kind, message) => {
      const { status, stdout } = await start('finetune', '--example', kind).ended;
      expect(status).toBe(0);
      writeFileSync(join(folder, `${kind}.yaml`), stdout);
      expect((await start('finetune', join(folder, `${kind}.yaml`)).ended).stderr).toMatch(message);
    },
    60_000,
  );
});
