import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfFile } from '@consilium/shared/kernel';
import { indexCollection } from '../../site-agent/src/collection/index-collection.js';
import { siteFolder } from '../../site-agent/src/config/site-folder.js';
import { readModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import type { PretrainHistory } from '../../site-agent/src/pretraining/pretrain-history.js';
import { parseRecipe, readRecipeFile } from '../../site-agent/src/pretraining/recipe-file.js';
import type { RecipeOrder, RecipeResult, TrainerProgress } from '../../site-agent/src/trainer/trainer-messages.js';
import { TrainerProcess } from '../../site-agent/src/trainer/trainer-process.js';
import { makePhantom, writeNifti } from '../fixtures/make-volume.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { eventually, requireTrainer } from '../fixtures/trainer-site.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');

const RECIPE = `
name: tiny
model: { architecture: genesis-unet3d, width: 2, norm: batch }
objective:
  kind: models-genesis
  transforms: { invertedShare: 0.1 }
  curriculum: [{ until: 0.5, nonlinearProbability: 0, paintProbability: 0.3 }]
patch: { sizeVoxels: [16, 16, 8] }
training:
  optimizer: { kind: adam, learningRate: 0.01 }
  schedule: { kind: plateau, patience: 2 }
  batchSize: 4
  patchesPerVolume: 8
  epochs: 6
  checkpointEverySteps: 3
validation: { share: 0.34, patchesPerVolume: 4 }
seed: 3
`;

const UNIVERSAL_RECIPE = `
name: universal
model: { architecture: universal-model, width: 2, norm: instance, scaleFeatures: 4, adversaryChannels: 2 }
objective:
  kind: universal-model
  transforms: { nonlinearProbability: 0.1 }
  adversary: { mode: reversal, warmUpShare: 0.2 }
patch: { sizeVoxels: [32, 32, 16], scales: { sizes: [[36, 36, 24], [24, 24, 12], [12, 12, 8]] } }
training:
  optimizer: { kind: adam, learningRate: 0.003 }
  batchSize: 6
  patchesPerVolume: 6
  epochs: 3
  checkpointEverySteps: 2
validation: { share: 0.34, patchesPerVolume: 6 }
seed: 3
`;

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder = '';
const path = (...parts: string[]): string => join(folder, ...parts);
beforeAll(async () => {
  requireTrainer();
  folder = mkdtempSync(join(tmpdir(), 'consilium-pretrain-'));
  mkdirSync(path('scans'));
  for (const seed of ['a', 'b', 'c']) writeNifti(path('scans', `ct-${seed}.nii.gz`), makePhantom(seed, 'CT'));
  for (const seed of ['d', 'e', 'f']) writeNifti(path('scans', `mr-${seed}.nii.gz`), makePhantom(seed, 'MR'));
  writeFileSync(path('recipe.yaml'), RECIPE);
  mkdirSync(path('site'));
  await indexCollection({ paths: [path('scans')], site: siteFolder(path('site')) });
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

function siteAgent(...words: string[]): Promise<Ended> {
  const program = spawn(process.execPath, [PROGRAM, '--home', path('nobody'), ...words], { cwd: folder });
  let [stdout, stderr] = ['', ''];
  program.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  program.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => program.on('close', (status) => resolve({ status, stdout, stderr })));
}

const historyOf = (output: string): PretrainHistory =>
  JSON.parse(readFileSync(path(output, 'history.json'), 'utf8')) as PretrainHistory;

describe('site-agent pretrain', () => {
  it('trains a folder of scans by a recipe and leaves a model, its course and its figures', async () => {
    const words = ['recipe.yaml', '--data', 'scans', '--output', 'out', '--threads', '1', '--json', path('figures/summary.json')];
    const ended = await siteAgent('pretrain', ...words);
    expect(ended).toMatchObject({ status: 0, stdout: expect.stringMatching(/4 volumes, 2 held out \(CT 3, MR 3\)/) as string });
    expect(ended.stderr).toMatch(/epoch 1, step 8: validation loss [\d.]+, the best so far; skill -?[\d.]+ \(.*out-painted/);
    expect(readdirSync(path('out')).sort()).toEqual(
      ['curves.csv', 'curves.svg', 'history.json', 'model.safetensors', 'recipe.yaml', 'summary.json'].sort(),
    );
    expect(ended.stdout + ended.stderr + readFileSync(path('out/history.json'), 'utf8')).not.toMatch(/monitors|accuracy/i);
    const { validations, outcome, stepsPerEpoch } = historyOf('out');
    expect([stepsPerEpoch, validations.map(({ step }) => step)]).toEqual([8, [8, 16, 24, 32, 40, 48]]);
    const losses = validations.map(({ loss }) => loss);
    expect(outcome).toMatchObject({ steps: 48, epochs: 6, stopped: 'steps', bestValidationLoss: Math.min(...losses) });
    expect(losses.at(-1)).toBeLessThan(0.8 * (losses[0] ?? NaN));
    expect(outcome?.score?.groups?.map(({ modality, treatment }) => modality ?? treatment)).toContain('out-painted');
    expect(JSON.parse(readFileSync(path('figures/summary.json'), 'utf8'))).toMatchObject({ name: 'tiny', outcome });
    expect(readRecipeFile(path('out/recipe.yaml'))).toEqual(parseRecipe(RECIPE));
    const model = await readModelFile(path('out'));
    expect([model.digest, model.spec]).toEqual([outcome?.digest, parseRecipe(RECIPE).model]);
  }, 180_000);

  it('shows the monitors of a universal model at every validation and at the end', async () => {
    writeFileSync(path('universal.yaml'), UNIVERSAL_RECIPE);
    const ended = await siteAgent('pretrain', 'universal.yaml', '--data', 'scans', '--output', 'universal', '--threads', '1');
    expect(ended).toMatchObject({ status: 0, stdout: expect.stringContaining('Monitors on 12 validation pairs') as string });
    const { validations, outcome } = historyOf('universal');
    expect(validations.map(({ step, monitors }) => [step, monitors?.patches])).toEqual([4, 8, 12].map((step) => [step, 12]));
    for (const { score, monitors } of validations) {
      expect(monitors?.restoration.map(({ modality, patches, skill }) => ({ modality, patches, skill }))).toEqual(
        (['CT', 'MR'] as const).map((modality) => {
          const group = score.groups?.find((one) => one.modality === modality && one.treatment === undefined);
          return { modality, patches: 6, skill: group?.skill };
        }),
      );
      const words = `scale accuracy ${monitors?.scaleAccuracy?.toFixed(2)}, modality accuracy ${monitors?.modalityAccuracy?.toFixed(2)}, feature rank ${monitors?.featureRank.toFixed(1)}`;
      expect(ended.stderr).toContain(words);
    }
    const best = validations.find(({ step }) => step === outcome?.bestStep);
    expect(outcome?.monitors).toEqual(best?.monitors);
    expect(ended.stdout).toMatch(new RegExp(`scale accuracy +${outcome?.monitors?.scaleAccuracy?.toFixed(3)} `));
    expect(ended.stdout).toMatch(new RegExp(`feature rank +${outcome?.monitors?.featureRank.toFixed(2)} `));
    expect(JSON.parse(readFileSync(path('universal/summary.json'), 'utf8'))).toMatchObject({ outcome });
    expect(readFileSync(path('universal/curves.svg'), 'utf8')).toContain('modality accuracy');
    expect(readFileSync(path('universal/curves.csv'), 'utf8')).toMatch(/,feature_rank\n/);
    process.stderr.write(ended.stdout);
  }, 180_000);

  it('trains a universal model of one modality on that modality alone', async () => {
    const recipe = UNIVERSAL_RECIPE.replace(
      'adversary: { mode: reversal, warmUpShare: 0.2 }',
      'adversary: { mode: none }\n  modalities: [CT]',
    )
      .replace('norm: instance', 'norm: instance, modalities: 0')
      .replace('epochs: 3', 'epochs: 1');
    writeFileSync(path('ct.yaml'), recipe);
    const ended = await siteAgent('pretrain', 'ct.yaml', '--data', 'scans', '--output', 'ct', '--threads', '1');
    expect(ended).toMatchObject({ status: 0 });
    expect(historyOf('ct').volumes).toEqual({ train: 2, validation: 1, ct: 3, mr: 0 });
  }, 120_000);

  it('trains nothing when it is asked again, and keeps its model from other work', async () => {
    const digest = await digestOfFile(path('out/model.safetensors'));
    const again = await siteAgent('pretrain', 'recipe.yaml', '--data', 'scans', '--output', 'out', '--threads', '1');
    expect(again.status).toBe(0);
    expect(again.stderr).not.toContain('epoch 1');
    writeFileSync(path('other.yaml'), RECIPE.replace('seed: 3', 'seed: 4'));
    const other = await siteAgent('pretrain', 'other.yaml', '--data', 'scans', '--output', 'out', '--threads', '1');
    expect(other).toMatchObject({ status: 2, stderr: expect.stringContaining('NAME_TAKEN') as string });
    expect(await digestOfFile(path('out/model.safetensors'))).toBe(digest);
  }, 120_000);

  it('goes on from a model of the same network, and says plainly when nothing has been learnt', async () => {
    writeFileSync(path('one.yaml'), RECIPE.replace('epochs: 6', 'steps: 1').replace('0.01 }', '1.0e-9 }'));
    const words = ['one.yaml', '--data', 'scans', '--threads', '1'];
    const fresh = await siteAgent('pretrain', ...words, '--output', 'fresh');
    expect(fresh).toMatchObject({ status: 0, stdout: expect.stringContaining('has not learned yet') as string });
    const more = await siteAgent('pretrain', ...words, '--output', 'more', '--from', path('out'));
    expect(more.status).toBe(0);
    expect(historyOf('more').startedFrom).toBe(historyOf('out').outcome?.digest);
    // One tiny step away: what the model had reached is still there.
    expect(historyOf('more').outcome?.bestValidationLoss).toBeCloseTo(historyOf('out').outcome?.bestValidationLoss ?? NaN, 4);
    writeFileSync(path('wider.yaml'), RECIPE.replace('width: 2', 'width: 3'));
    const wider = await siteAgent('pretrain', 'wider.yaml', '--data', 'scans', '--output', 'wider', '--from', path('out'));
    expect(wider.stderr).toContain('MANIFEST_MISMATCH');
  }, 180_000);

  it('prints an example, and names what is wrong with a recipe', async () => {
    const example = await siteAgent('pretrain', '--example');
    expect(parseRecipe(example.stdout)).toMatchObject({ name: 'example' });
    writeFileSync(path('wrong.yaml'), `${RECIPE}\ncolour: red\n`);
    const wrong = await siteAgent('pretrain', 'wrong.yaml', '--data', 'scans');
    expect(wrong).toMatchObject({ status: 2, stderr: expect.stringMatching(/RECIPE_INVALID.*colour/s) as string });
    expect(await siteAgent('pretrain')).toMatchObject({ status: 2, stderr: expect.stringContaining('--example') as string });
  }, 60_000);
});

describe('a pretraining that is interrupted', () => {
  const orderIn = (name: string, text = RECIPE): RecipeOrder => {
    const recipe = parseRecipe(text);
    return { kind: 'recipe', home: path('site'), limits: { threads: 1 }, recipe, from: 'scratch', outputFolder: path(name) };
  };

  it('ends with the same bytes after kill -9 and after a stop as without', async () => {
    const calm = await finish(start(orderIn('calm')));
    const killed = orderIn('killed');
    for (const step of [6, 19, 30]) {
      const trainer = start(killed);
      await eventually(() => trainer.progress.some((seen) => seen.phase === 'training' && seen.step >= step));
      process.kill(trainer.handle.pid ?? 0, 'SIGKILL');
      await expect(trainer.handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED' });
    }
    const stopped = start(killed);
    await eventually(() => stopped.progress.length > 0);
    await stopped.handle.stop();
    await expect(stopped.handle.finished).rejects.toMatchObject({ code: 'TRAINER_STOPPED' });
    const resumed = start(killed);
    const { history } = await finish(resumed);
    expect(history.outcome.digest).toBe(calm.history.outcome.digest);
    expect(courseOf(history)).toEqual(courseOf(calm.history));
    expect(resumed.progress.find(({ phase }) => phase === 'training')?.step ?? 0).toBeGreaterThanOrEqual(27);
    expect(existsSync(path('killed/work'))).toBe(false);
  }, 240_000);

  it('ends with the same bytes and monitors with a universal model too', async () => {
    const calm = await finish(start(orderIn('calm-universal', UNIVERSAL_RECIPE)));
    const order = orderIn('killed-universal', UNIVERSAL_RECIPE);
    const killed = start(order);
    await eventually(() => killed.progress.some((seen) => seen.phase === 'training' && seen.step >= 7));
    process.kill(killed.handle.pid ?? 0, 'SIGKILL');
    await expect(killed.handle.finished).rejects.toMatchObject({ code: 'TRAINER_DIED' });
    const resumed = start(order);
    const { history } = await finish(resumed);
    expect(resumed.progress.find(({ phase }) => phase === 'training')?.step ?? 0).toBeGreaterThanOrEqual(4);
    expect(history.outcome.digest).toBe(calm.history.outcome.digest);
    expect(courseOf(history)).toEqual(courseOf(calm.history));
    expect(history.validations.every(({ monitors }) => monitors !== undefined)).toBe(true);
  }, 180_000);

  it('stops when the time is up, and without held-out volumes keeps the last weights', async () => {
    const unlimited = RECIPE.replace('epochs: 6', 'epochs: 5000\n  minutes: 0.02').replace('share: 0.34', 'share: 0');
    const { history } = await finish(start(orderIn('timed', unlimited)));
    expect(history.outcome).toMatchObject({ stopped: 'minutes', score: null, learned: null, bestStep: history.outcome.steps });
    expect(history.outcome.steps).toBeGreaterThan(0);
    expect(history.outcome.trainingMs).toBeGreaterThanOrEqual(1200);
    expect(history.volumes).toEqual({ train: 6, validation: 0, ct: 3, mr: 3 });
  }, 120_000);
});

/** All of a course but its times. */
function courseOf({ validations }: PretrainHistory): object[] {
  return validations.map((validation) => ({ ...validation, trainingMs: 0 }));
}

function start(order: RecipeOrder) {
  const progress: TrainerProgress[] = [];
  const handle = new TrainerProcess().start(order, (message) => void progress.push(message));
  return { handle, progress };
}

async function finish({ handle }: ReturnType<typeof start>): Promise<RecipeResult> {
  const result = await handle.finished;
  if (result.kind !== 'recipe') throw new Error('another kind of result');
  return result;
}
