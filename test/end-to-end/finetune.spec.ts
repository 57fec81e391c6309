import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestOfFile } from '@consilium/shared/kernel';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import { readSafetensors } from '@consilium/shared/weights';
import type { FinetuneSummary } from '../../site-agent/src/finetuning/finetune-and-evaluate.js';
import { writeModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import type { EvaluationReport } from '../../site-agent/src/evaluation/segmentation-report.js';
import { describeTask, readTaskFile } from '../../site-agent/src/finetuning/tasks/task-file.js';
import type { FinetuneOrder, FinetuneResult, TrainerProgress } from '../../site-agent/src/trainer/trainer-messages.js';
import { TrainerProcess } from '../../site-agent/src/trainer/trainer-process.js';
import { findScans } from '../../site-agent/src/volumes/find-scan.js';
import { readNiftiVolume } from '../../site-agent/src/volumes/nifti/nifti-volume.js';
import { readVolume } from '../../site-agent/src/volumes/read-volume.js';
import { writeDicomSeries } from '../fixtures/make-dicom-series.js';
import { makeLabelledCase, makeTask } from '../fixtures/make-labelled-cases.js';
import { makeNifti } from '../fixtures/make-volume.js';
import { describeWithOracle, PROJECT_ROOT } from '../fixtures/reference-shelf.js';
import { eventually, requireTrainer } from '../fixtures/trainer-site.js';

const PROGRAM = join(PROJECT_ROOT, 'site-agent/bin/site-agent.mjs');
const TINY = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

let folder = '';
beforeAll(() => {
  requireTrainer();
  folder = mkdtempSync(join(tmpdir(), 'consilium-finetune-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

/** The real program; its home is the test's own, so that a site of the user's is never touched. */
function siteAgent(...words: string[]): Promise<Ended> {
  const program = spawn(process.execPath, [PROGRAM, '--home', join(folder, 'site'), ...words], { cwd: folder });
  let [stdout, stderr] = ['', ''];
  program.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  program.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve) => program.on('close', (status) => resolve({ status, stdout, stderr })));
}

/** The program's JSON; its whole answer when it failed. */
async function answer<T>(...words: string[]): Promise<T> {
  const ended = await siteAgent(...words, '--threads', '2', '--json');
  if (ended.status !== 0) throw new Error(`exit ${ended.status}: ${ended.stderr}`);
  return JSON.parse(ended.stdout) as T;
}

describe('fine-tuning from the command line', () => {
  const output = (): string => join(folder, 'from-scratch');
  let summary: FinetuneSummary;

  it('learns a bright ball from six scans, in any orientation, and reports held-out Dice', async () => {
    summary = await answer<FinetuneSummary>('finetune', makeTask(folder), '--output', output());
    process.stderr.write(`ball: Dice ${summary.model.test?.meanDice?.toFixed(3)} on ${summary.cases.test} held-out cases\n`);
    expect(summary.model).toMatchObject({ startedFrom: 'scratch', steps: 60, loadedParameters: 0 });
    expect(summary.model.test?.meanDice).toBeGreaterThan(0.7);
    expect(readdirSync(output()).sort()).toEqual(
      [
        'history.json',
        'model.safetensors',
        'model.safetensors.passport.json',
        'results.csv',
        'results.json',
        'summary.json',
        'task.yaml',
      ].sort(),
    );
  }, 120_000);

  it('repeating a finished fine-tuning trains nothing and gives the same model', async () => {
    const startedMs = Date.now();
    const again = await siteAgent('finetune', join(folder, 'task.yaml'), '--output', output(), '--threads', '2', '--json');
    expect((JSON.parse(again.stdout) as FinetuneSummary).model).toEqual(summary.model);
    expect(again.stderr).not.toContain('scoring test cases');
    expect(Date.now() - startedMs).toBeLessThan(60_000);
  }, 120_000);

  it('keeps a finished model: other work does not go into its folder', async () => {
    const other = join(folder, 'other.yaml');
    writeFileSync(other, readFileSync(join(folder, 'task.yaml'), 'utf8').replace('steps: 60', 'steps: 59'));
    const ended = await siteAgent('finetune', other, '--output', output());
    expect(ended).toMatchObject({ status: 2, stderr: expect.stringContaining('NAME_TAKEN') as string });
    expect(await digestOfFile(join(output(), 'model.safetensors'))).toBe(summary.model.digest);
  }, 60_000);

  it('says before it trains that a test case cannot be used, and which, when it is asked to check, all are', async () => {
    const own = join(folder, 'damaged');
    const task = makeTask(own);
    for (const number of [2, 9]) truncateSync(join(own, `scans/ball-${number}.nii.gz`), 2000);
    const checked = await siteAgent('finetune', task, '--check');
    expect(checked).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('2 of 12 cases of ball cannot be used') as string,
    });
    expect(checked.stdout).toMatch(/not usable: case ball-2[^]*not usable: case ball-9/);

    makeLabelledCase(join(own, 'scans'), 'ball', 2);
    const refused = await siteAgent('finetune', task, '--output', join(own, 'out'));
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringMatching(/TASK_INVALID: case ball-9/) as string });
    expect(existsSync(join(own, 'out/history.json'))).toBe(false);
  }, 60_000);

  it('evaluates a finished folder without any other word', async () => {
    const report = await answer<EvaluationReport>('evaluate', output(), '--output', join(folder, 'evaluated'));
    expect(report.meanDice).toBe(summary.model.test?.meanDice);
    expect(existsSync(join(folder, 'evaluated/results.csv'))).toBe(true);
  }, 60_000);

  it('writes masks that lie where their images lie and that carry the first label', async () => {
    const task = readTaskFile(join(folder, 'task.yaml'));
    const images = task.cases.test.map(({ image }) => image);
    await answer('predict', '--model', output(), '--output', join(folder, 'masks'), ...images);
    for (const { name, image, label } of task.cases.test) {
      const mask = await readNiftiVolume(join(folder, 'masks', `${name}_mask.nii.gz`));
      const [source, truth] = [await readNiftiVolume(image), await readNiftiVolume(label)];
      expect(mask.affine).toEqual(source.affine);
      expect(mask.source.sizeVoxels).toEqual(source.source.sizeVoxels);
      expect(new Set(mask.voxels)).toEqual(new Set([0, 3]));
      let [both, sum] = [0, 0];
      mask.voxels.forEach((value, voxel) => {
        both += value > 0 && (truth.voxels[voxel] ?? 0) > 0 ? 1 : 0;
        sum += (value > 0 ? 1 : 0) + ((truth.voxels[voxel] ?? 0) > 0 ? 1 : 0);
      });
      const reported = summary.model.test?.cases.find((entry) => entry.name === name)?.dice;
      expect((2 * both) / sum).toBeCloseTo(reported ?? NaN, 10);
    }
  }, 60_000);

  it('starts two classes from a pretrained model beside a scratch run of the same network', async () => {
    const start = join(folder, 'pretrained.safetensors');
    await writeModelFile(start, { spec: TINY, weights: initialWeights(TINY, 3) });
    const own = join(folder, 'two-classes');
    const classes = [
      { name: 'shell', labels: [3] },
      { name: 'core', labels: [5] },
    ];
    const model = { architecture: 'genesis-unet3d', width: 5 };
    const task = makeTask(own, { classes, model, training: { steps: 4, validateEverySteps: 2 } });
    const words = ['finetune', task, '--from', start, '--output', join(own, 'out'), '--compare-scratch'];
    const compared = await answer<FinetuneSummary>(...words);
    expect(compared.model.freshParameters).toEqual(['out.weight', 'out.bias']);
    expect(compared.model.loadedParameters).toBe(62);
    expect(compared.scratch).toMatchObject({ startedFrom: 'scratch', loadedParameters: 0, steps: 4 });
    const { weights } = await readSafetensors(join(own, 'out/scratch/model.safetensors'));
    expect(weights.find(({ name }) => name === 'out.weight')?.shape).toEqual([2, 4, 1, 1, 1]);
    expect(compared.model.test?.classMeans.map(({ name }) => name)).toEqual(['shell', 'core']);
  }, 120_000);
});

describe('fine-tuning at a spacing of its own', () => {
  const spacingMm = [1.4, 1.4, 1.4];
  const own = (name: string): string => join(folder, 'at-spacing', name);
  let summary: FinetuneSummary;

  it('trains on resampled scans and scores on their own grids', async () => {
    summary = await answer<FinetuneSummary>('finetune', makeTask(own(''), { spacingMm }), '--output', own('out'));
    process.stderr.write(`ball at 1.4 mm: Dice ${summary.model.test?.meanDice?.toFixed(3)}\n`);
    expect(summary.spacingMm).toEqual(spacingMm);
    expect(summary.model.test?.meanDice).toBeGreaterThan(0.7);
    const truth = await readNiftiVolume(makeLabelledCase(own('again'), 'ball', 8).label);
    const voxelMm3 = truth.spacingMm.reduce((product, side) => product * side, 1);
    const labelledMm3 = truth.voxels.filter((value) => value === 3 || value === 5).length * voxelMm3;
    expect(summary.model.test?.cases[0]?.classes[0]?.labelledMl).toBeCloseTo(labelledMm3 / 1000, 9);
  }, 120_000);

  it('is remembered by the model: evaluate and predict need not be told', async () => {
    const task = readTaskFile(own('task.yaml'));
    writeFileSync(own('silent.yaml'), describeTask({ ...task, spacingMm: undefined }));
    const report = await answer<EvaluationReport>(
      'evaluate',
      own('out'),
      '--task',
      own('silent.yaml'),
      '--output',
      own('scores'),
    );
    expect(report.meanDice).toBe(summary.model.test?.meanDice);
    await answer('predict', '--model', own('out'), '--output', own('masks'), ...task.cases.test.map(({ image }) => image));
    for (const [index, { name, image, label }] of task.cases.test.entries()) {
      const mask = await readNiftiVolume(own(`masks/${name}_mask.nii.gz`));
      const [source, truth] = [await readNiftiVolume(image), await readNiftiVolume(label)];
      expect([mask.affine, mask.source.sizeVoxels]).toEqual([source.affine, source.source.sizeVoxels]);
      const [found, there] = [mask.voxels, truth.voxels].map((values) => values.map((value) => (value > 0 ? 1 : 0)));
      const both = found?.reduce((sum, value, voxel) => sum + value * (there?.[voxel] ?? 0), 0) ?? NaN;
      const all = [...(found ?? []), ...(there ?? [])].reduce((sum, value) => sum + value, 0);
      expect((2 * both) / all).toBeCloseTo(summary.model.test?.cases[index]?.dice ?? NaN, 10);
    }
  }, 60_000);

  it('is not mixed up with another one', async () => {
    const task = readTaskFile(own('task.yaml'));
    writeFileSync(own('other.yaml'), describeTask({ ...task, spacingMm: [2, 2, 2] }));
    const ended = await siteAgent('evaluate', own('out'), '--task', own('other.yaml'));
    expect(ended).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/spacingMm: the task says 2, 2, 2, the model was trained with 1.4, 1.4, 1.4/) as string,
    });
  }, 60_000);
});

describe('DICOM images', () => {
  it('get masks on their own grids, the same as their NIfTI copies', async () => {
    const scans = join(folder, 'dicom');
    const [tilt, level] = [Math.sin(0.2), Math.cos(0.2)];
    const oblique = { rowDirection: [0, level, tilt], columnDirection: [0, tilt, -level] } as const;
    writeDicomSeries(join(scans, 'p1/t1'), { slices: 9, ...oblique });
    writeDicomSeries(join(scans, 'p2'), { slices: 9, changes: () => ({ series: '1.5', modality: 'CT' }) });
    const converted = await siteAgent('convert', join(scans, 'p1/t1'), join(scans, 'copy.nii.gz'));
    expect(converted.status).toBe(0);
    const model = join(folder, 'tiny-mr.safetensors');
    const segmentation = {
      task: 'ball',
      modality: 'MR' as const,
      classes: [{ name: 'ball', labels: [3] }],
      patchSizeVoxels: [16, 16, 16] as [number, number, number],
      spacingMm: [1, 1, 1] as [number, number, number],
    };
    await writeModelFile(model, { spec: TINY, weights: initialWeights(TINY, 1), segmentation });
    const ended = await siteAgent('predict', '--model', model, '--output', join(folder, 'dicom-masks'), scans);
    expect(ended).toMatchObject({ status: 0, stdout: expect.stringMatching(/p2 not used: its header says CT/) as string });
    const other = await siteAgent('predict', '--model', model, '--output', folder, '--modality', 'ct', scans);
    expect(other).toMatchObject({ status: 2, stderr: expect.stringMatching(/--modality CT: .* trained for MR/) as string });
    const [scan] = await findScans(join(scans, 'p1/t1'));
    const volume = await readVolume(scan.source);
    const mask = await readNiftiVolume(join(folder, 'dicom-masks/p1/t1_mask.nii.gz'));
    const copy = await readNiftiVolume(join(folder, 'dicom-masks/copy_mask.nii.gz'));
    expect(mask.source).toMatchObject({ sizeVoxels: volume.source.sizeVoxels, rasAxis: volume.source.rasAxis });
    mask.affine.forEach((entry, index) => expect(entry).toBeCloseTo(volume.affine[index] ?? NaN, 4));
    // The copy's header rounds to 32 bits, and a network without training is undecided almost everywhere.
    const alike = mask.voxels.filter((value, voxel) => value === copy.voxels[voxel]).length;
    expect(alike / mask.voxels.length).toBeGreaterThan(0.9);
    expect(readdirSync(join(folder, 'dicom-masks')).sort()).toEqual(['copy_mask.nii.gz', 'p1']);
  }, 60_000);
});

describe('fine-tuning and bad input', () => {
  it.each<[string, (own: string) => void, RegExp]>([
    [
      'a label on another grid',
      (own) => writeFileSync(join(own, 'scans/ball-1-label.nii.gz'), makeNifti({ sizes: [9, 9, 9] })),
      /ball-1.*9x9x9/,
    ],
    ['a damaged image', (own) => truncateSync(join(own, 'scans/ball-2.nii.gz'), 400), /ball-2.*ball-2\.nii\.gz cannot be used/],
    ['an unknown field', (own) => writeFileSync(join(own, 'task.yaml'), 'name: x\nkind: segmentation\ncolour: red\n'), /colour/],
  ])(
    '%s is named in one clear line, with status 2',
    async (title, damage, message) => {
      const own = join(folder, title.replaceAll(' ', '-'));
      const task = makeTask(own, { training: { steps: 2 } });
      damage(own);
      const ended = await siteAgent('finetune', task, '--output', join(own, 'out'));
      expect(ended.stderr).toMatch(message);
      expect(ended).toMatchObject({ status: 2, stdout: '', stderr: expect.stringContaining('TASK_INVALID') as string });
    },
    60_000,
  );

  it('an unreadable image among others is listed and passed over; a pretrained model predicts nothing', async () => {
    const scans = join(folder, 'mixed');
    makeLabelledCase(scans, 'good', 0);
    await rm(join(scans, 'good-0-label.nii.gz'));
    writeFileSync(join(scans, 'bad.nii'), 'not a scan');
    const model = join(folder, 'tiny.safetensors');
    const segmentation = {
      task: 'ball',
      modality: 'MR' as const,
      classes: [{ name: 'ball', labels: [3] }],
      patchSizeVoxels: [16, 16, 16] as [number, number, number],
    };
    await writeModelFile(model, { spec: TINY, weights: initialWeights(TINY, 1), segmentation });
    const ended = await siteAgent('predict', '--model', model, '--output', join(folder, 'mixed-masks'), scans);
    expect(ended.status).toBe(0);
    expect(ended.stdout).toMatch(/bad +not used/);
    expect(readdirSync(join(folder, 'mixed-masks'))).toEqual(['good-0_mask.nii.gz']);

    await writeModelFile(model, { spec: TINY, weights: initialWeights(TINY, 1) });
    const refused = await siteAgent('predict', '--model', model, '--output', join(folder, 'mixed-masks'), scans);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('pretrained only') as string });
  }, 60_000);
});

describe('a fine-tuning that is interrupted', () => {
  const orderIn = (name: string): FinetuneOrder => {
    const task = readTaskFile(makeTask(join(folder, 'interrupted'), { training: { steps: 40, validateEverySteps: 10 } }));
    return { kind: 'finetune', limits: { threads: 1 }, task, outputFolder: join(folder, 'interrupted', name) };
  };

  it('ends with the same bytes after kill -9 and after a stop as without', async () => {
    const calm = await finish(start(orderIn('calm')));
    const killed = orderIn('killed');
    for (const step of [13, 27]) {
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
    const result = await finish(resumed);
    expect(result.digest).toBe(calm.digest);
    expect(result.bestValidationLoss).toBe(calm.bestValidationLoss);
    const firstStep = resumed.progress.find(({ phase }) => phase === 'training')?.step ?? 0;
    expect(firstStep).toBeGreaterThanOrEqual(24);
    expect(existsSync(join(killed.outputFolder, 'work'))).toBe(false);
  }, 180_000);

  it('begins again when its checkpoint is damaged, and says so', async () => {
    const order = orderIn('damaged');
    const trainer = start(order);
    const checkpoint = join(order.outputFolder, 'work/checkpoint.safetensors');
    await eventually(() => existsSync(checkpoint));
    await trainer.handle.stop();
    truncateSync(checkpoint, 1000);
    copyFileSync(checkpoint, join(order.outputFolder, 'work/checkpoint.previous.safetensors'));
    const again = start(order);
    await finish(again);
    expect(again.warnings.join()).toMatch(/checkpoint is damaged/);
  }, 120_000);
});

describeWithOracle('masks in nibabel', (python) => {
  it('have the affine, the shape and the codes of their images', () => {
    const script = `
import sys, nibabel, numpy
from pathlib import Path
scans, masks = map(Path, sys.argv[1:])
found = sorted(masks.glob("*_mask.nii.gz"))
for path in found:
    mask, image = nibabel.load(path), nibabel.load(scans / path.name.replace("_mask", ""))
    assert mask.shape == image.shape, path
    assert numpy.array_equal(mask.affine, image.affine), path
    assert mask.header["sform_code"] == image.header["sform_code"], path
    assert set(numpy.unique(mask.dataobj)) <= {0, 3}, path
print(len(found))`;
    const masks = execFileSync(python, ['-c', script, join(folder, 'scans'), join(folder, 'masks')], { encoding: 'utf8' });
    expect(Number(masks)).toBe(4);
  }, 60_000);
});

function start(order: FinetuneOrder) {
  const progress: TrainerProgress[] = [];
  const warnings: string[] = [];
  const trainer = new TrainerProcess({ onWarning: (text) => void warnings.push(text) });
  return { handle: trainer.start(order, (message) => void progress.push(message)), progress, warnings };
}

async function finish({ handle }: ReturnType<typeof start>): Promise<FinetuneResult> {
  const result = await handle.finished;
  if (result.kind !== 'finetune') throw new Error('another kind of result');
  return result;
}
