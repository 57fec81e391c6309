import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { FinetuneSummary } from '../../site-agent/src/finetuning/finetune-and-evaluate.js';
import { readModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import { readRecipe } from '../../site-agent/src/labelled-pretraining/read-recipe.js';
import type {
  LabelledPretrainOrder,
  LabelledPretrainResult,
  TrainerProgress,
} from '../../site-agent/src/trainer/trainer-messages.js';
import { TrainerProcess } from '../../site-agent/src/trainer/trainer-process.js';
import { makeTask } from '../fixtures/make-labelled-cases.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { eventually, requireTrainer } from '../fixtures/trainer-site.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
let folder = '';
beforeAll(() => {
  requireTrainer();
  folder = mkdtempSync(join(tmpdir(), 'consilium-med3d-'));
  makeTask(join(folder, 'balls'), { spacingMm: 0.75 });
  makeTask(join(folder, 'shells'), {
    name: 'shells',
    spacingMm: 0.75,
    classes: [
      { name: 'shell', labels: [3] },
      { name: 'core', labels: [5] },
    ],
  });
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

const BOTH = [{ task: 'balls/task.yaml' }, { task: 'shells/task.yaml' }];

function makeRecipe(name: string, training: object, collections: readonly object[] = BOTH): string {
  const path = join(folder, `${name}.yaml`);
  const optimizer = { kind: 'adam', learningRate: 0.005 };
  const plan = { balance: 'equal', optimizer, schedule: { kind: 'constant' }, ...training };
  writeFileSync(path, stringify({ name, collections, model: { width: 4 }, patchSizeVoxels: [32, 32, 32], training: plan }));
  return path;
}

async function answer<T>(...words: string[]): Promise<T> {
  const whole = ['--home', join(folder, 'site'), ...words, '--threads', '2', '--json'];
  const program = spawn(process.execPath, [PROGRAM, ...whole], { cwd: folder });
  let [stdout, stderr] = ['', ''];
  program.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  program.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const status = await new Promise((resolve) => program.on('close', resolve));
  if (status !== 0) throw new Error(`exit ${String(status)}: ${stderr}`);
  return JSON.parse(stdout) as T;
}

describe('supervised pretraining on two labelled collections', () => {
  let result: LabelledPretrainResult;

  it('learns both branches and leaves the encoder alone', async () => {
    const recipe = makeRecipe('learning', { steps: 120, validateEverySteps: 40 });
    result = await answer<LabelledPretrainResult>('pretrain-labelled', recipe, '--output', join(folder, 'learned'));
    const [first, last] = [result.looks[0], result.looks.at(-1)];
    for (const [index, { name, dice, trainingLoss }] of (last?.collections ?? []).entries()) {
      process.stderr.write(`${name}: loss ${trainingLoss?.toFixed(2)}, Dice ${dice?.toFixed(3)}\n`);
      expect(trainingLoss ?? NaN).toBeLessThan(first?.collections[index]?.trainingLoss ?? NaN);
      expect(dice ?? NaN).toBeGreaterThan([0.6, 0.3][index] ?? NaN);
    }
    expect(result.collections).toMatchObject([
      { name: 'ball', train: 6, validation: 2, classes: ['ball'], spacingMm: [0.75, 0.75, 0.75] },
      { name: 'shells', classes: ['shell', 'core'] },
    ]);
    const { spec, weights } = await readModelFile(join(folder, 'learned'));
    expect(spec).toMatchObject({ architecture: 'medicalnet-resnet', head: 'none' });
    expect(weights.filter(({ name }) => !/^(conv1|bn1|layer[1-4])\./.test(name))).toEqual([]);
  }, 240_000);

  it('refuses to validate on a copy of an image that another collection trains on', async () => {
    const scan = (number: number) => {
      const path = join(folder, 'copies/scans', `ball-${number}`);
      return { image: `${path}.nii.gz`, label: `${path}-label.nii.gz` };
    };
    makeTask(join(folder, 'copies'), { name: 'copies', spacingMm: 0.75, cases: { train: [scan(9)], validation: [scan(0)] } });
    const recipe = makeRecipe('leak', { steps: 5 }, [{ task: 'balls/task.yaml' }, { task: 'copies/task.yaml' }]);
    await expect(answer('pretrain-labelled', recipe, '--output', join(folder, 'leak'))).rejects.toThrow(
      /TASK_INVALID: the validation case \S+ of copies is the image of the training case \S+ of ball/,
    );
  }, 60_000);

  it('gives a start for segmentation under either head, which answers for every voxel', async () => {
    for (const head of ['raised-segmentation', 'direct-segmentation']) {
      const own = join(folder, head);
      const model = { architecture: 'medicalnet-resnet', head };
      const task = makeTask(own, { model, training: { steps: 4, validateEverySteps: 2 } });
      const words = ['finetune', task, '--from', join(folder, 'learned'), '--output', join(own, 'out')];
      const { model: tuned } = await answer<FinetuneSummary>(...words);
      expect(tuned.startedFrom).toBe(result.digest);
      expect(tuned.freshParameters.every((name) => /^(conv_seg|direct)\./.test(name))).toBe(true);
      expect(tuned.test?.cases).toHaveLength(4);
      expect((await readModelFile(join(own, 'out'))).spec).toMatchObject({ head, outputs: 1, width: 4 });
    }
  }, 120_000);

  it('starts from an encoder, and continues to the same bytes after kill -9', async () => {
    const recipe = readRecipe(makeRecipe('killed', { steps: 24, validateEverySteps: 8, checkpointEverySteps: 3 }));
    const orderIn = (name: string): LabelledPretrainOrder => ({
      kind: 'pretrain-labelled',
      limits: { threads: 1 },
      recipe: { ...recipe, start: join(folder, 'learned/model.safetensors') },
      outputFolder: join(folder, name),
    });
    const calm = await start(orderIn('calm')).handle.finished;
    for (const step of [7, 17]) {
      const trainer = start(orderIn('killed'));
      await eventually(() => trainer.progress.some((seen) => seen.phase === 'training' && seen.step >= step));
      process.kill(trainer.handle.pid ?? 0, 'SIGKILL');
      await expect(trainer.handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED' });
    }
    const resumed = start(orderIn('killed'));
    const { digest, looks } = (await resumed.handle.finished) as LabelledPretrainResult;
    expect({ digest, looks }).toEqual({
      digest: (calm as LabelledPretrainResult).digest,
      looks: (calm as LabelledPretrainResult).looks,
    });
    expect(resumed.progress.find(({ phase }) => phase === 'training')?.step).toBeGreaterThanOrEqual(15);
    expect(existsSync(join(folder, 'killed/work'))).toBe(false);
    const again = (await start(orderIn('killed')).handle.finished) as LabelledPretrainResult;
    expect(again.digest).toBe(digest);
  }, 240_000);
});

function start(order: LabelledPretrainOrder) {
  const progress: TrainerProgress[] = [];
  const trainer = new TrainerProcess({ onWarning: () => undefined });
  return { handle: trainer.start(order, (message) => void progress.push(message)), progress };
}
