import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'fast-png';
import { initialWeights, modelSpecSchema } from '@consilium/shared/models';
import type { ClassificationReport } from '../../site-agent/src/evaluation/classification-report.js';
import type { PairedComparison } from '../../site-agent/src/evaluation/compare-runs.js';
import type { ClassificationFigures } from '../../site-agent/src/evaluation/evaluate-classification.js';
import type { SegmentationFigures } from '../../site-agent/src/evaluation/evaluate-segmentation.js';
import type { EvaluationReport } from '../../site-agent/src/evaluation/segmentation-report.js';
import type { FoldsSummary } from '../../site-agent/src/finetuning/finetune-folds.js';
import { writeModelFile } from '../../site-agent/src/finetuning/answers/model-file.js';
import { findScans } from '../../site-agent/src/volumes/find-scan.js';
import { readNiftiVolume } from '../../site-agent/src/volumes/nifti/nifti-volume.js';
import { readVolume } from '../../site-agent/src/volumes/read-volume.js';
import { writeDicomSeries } from '../fixtures/make-dicom-series.js';
import { makeClassification, makePatchClassification } from '../fixtures/make-classified-images.js';
import { makeLabelledCase, makeTask } from '../fixtures/make-labelled-cases.js';
import { describeWithDicomOracle } from '../fixtures/reference-shelf.js';
import { readSegmentation } from '../fixtures/read-segmentation.js';
import { runSiteAgent } from '../fixtures/run-site-agent.js';
import { requireTrainer } from '../fixtures/trainer-site.js';

const TINY = modelSpecSchema.parse({ architecture: 'genesis-unet3d', width: 2 });
const THREADS = ['--threads', '2'];

let folder = '';
beforeAll(() => {
  requireTrainer();
  folder = mkdtempSync(join(tmpdir(), 'consilium-evaluate-'));
});
afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 3 }));

/** As the page shows it. */
function shownFigure(value: number | null | undefined): string {
  if (value === null || value === undefined) return '–';
  return Number.isInteger(value) ? String(value) : value.toFixed(3);
}

const within = (...names: string[]): string => join(folder, ...names);
const read = <T>(...names: string[]): T => JSON.parse(readFileSync(within(...names), 'utf8')) as T;

async function run(...words: string[]): Promise<string> {
  const ended = await runSiteAgent(folder, ...words, ...THREADS);
  if (ended.status !== 0) throw new Error(`exit ${ended.status}: ${ended.stderr}`);
  return ended.stdout;
}

describe('evaluation of a fine-tuned model beside its scratch run', () => {
  let figures: SegmentationFigures;

  beforeAll(async () => {
    await writeModelFile(within('start.safetensors'), { spec: TINY, weights: initialWeights(TINY, 3) });
    const task = makeTask(within('ball'), { training: { steps: 30, validateEverySteps: 10 } });
    await run('finetune', task, '--from', within('start.safetensors'), '--output', within('out'), '--compare-scratch');
    const told = await run('evaluate', within('out'), '--legacy-iou', '--json', within('figures.json'));
    process.stderr.write(`${told}\n`);
    figures = read<SegmentationFigures>('figures.json');
  }, 240_000);

  it('writes the same figures into each of its files', () => {
    const { scratch, comparison, startedFrom, ...report } = figures;
    expect(startedFrom).toMatch(/^sha256:/);
    expect(read<EvaluationReport>('out/results.json')).toEqual(report);
    expect(read<EvaluationReport>('out/scratch/results.json')).toEqual(scratch);
    expect(read<PairedComparison>('out/comparison.json')).toEqual(comparison);
    const lines = readFileSync(within('out/results.csv'), 'utf8').trim().split('\n');
    expect(lines).toHaveLength(1 + report.cases.length);
    expect(Number(lines[1]?.split(',')[3])).toBeCloseTo(report.cases[0]?.dice ?? NaN, 5);
  });

  it('compares case by case', () => {
    const { cases, scratch, comparison } = figures;
    expect(cases).toHaveLength(4);
    cases.forEach(({ name, dice }, index) => {
      const other = scratch?.cases[index]?.dice ?? NaN;
      expect(comparison?.pairs[index]).toEqual({ name, ours: dice, other, difference: dice - other });
    });
    expect(comparison?.test.p).toBeGreaterThanOrEqual(0.125); // four pairs can say no more
  });

  it('measures distances, and the legacy figure under its own name beside the plain one', () => {
    const [ball] = figures.classes;
    for (const { classes } of figures.cases) {
      expect(classes[0]?.hd95Mm).toBeGreaterThan(0);
      expect(classes[0]?.hd95Mm).toBeGreaterThanOrEqual(classes[0]?.assdMm ?? NaN);
    }
    expect(ball?.figures.hd95Mm.cases).toBe(4);
    expect(ball?.legacyGenesisIou).toBeGreaterThan(ball?.figures.foregroundIou.mean ?? NaN);
  });

  it('shows them on one page that needs nothing else', () => {
    const page = readFileSync(within('out/report.html'), 'utf8');
    expect(page).not.toMatch(/<script|https?:|<link|url\(/i);
    expect(page).toContain('not a medical device');
    for (const value of [
      figures.meanDice,
      figures.scratch?.meanDice,
      figures.comparison?.meanDifference,
      figures.comparison?.test.p,
    ]) {
      expect(page).toContain(`>${shownFigure(value)}<`);
    }
    const worst = figures.cases.toSorted((a, b) => a.dice - b.dice);
    const table = page.slice(page.indexOf('Cases, worst first'));
    const places = worst.map(({ name }) => table.indexOf(`<td>${name}</td>`));
    expect(places.every((place, index) => place > (places[index - 1] ?? 0))).toBe(true);
    const distances = worst.flatMap(({ classes }) => classes[0]?.hd95Mm ?? []);
    const digits = distances.every(Number.isInteger) ? 0 : 3; // the same throughout a column
    for (const distance of distances) expect(page).toContain(`<td class="number">${distance.toFixed(digits)}</td>`);
    expect(page.match(/<polyline/g)?.length).toBeGreaterThanOrEqual(6);
    const pictures = [...page.matchAll(/src="data:image\/png;base64,([^"]+)"/g)];
    expect(pictures).toHaveLength(4);
    const picture = decode(Buffer.from(pictures[0]?.[1] ?? '', 'base64'));
    expect(picture).toMatchObject({ channels: 3, depth: 8 });
    const colours = new Set(
      Array.from({ length: picture.data.length / 3 }, (_, pixel) => picture.data.slice(3 * pixel, 3 * pixel + 3).join()),
    );
    expect([...colours]).toEqual(expect.arrayContaining(['0,190,255', '255,140,0']));
  });
});

describe('evaluation of all folds of a segmentation', () => {
  const folds = { count: 3, seed: 1 };

  it('tells of every case once, beside the scratch runs, the same after finetune and after evaluate', async () => {
    const cases = Array.from({ length: 6 }, (_, number) => makeLabelledCase(within('folded/all'), 'ball', number));
    const training = { steps: 8, validateEverySteps: 4 };
    const task = makeTask(within('folded'), { cases, folds, training });
    const output = within('folds');
    await run('finetune', task, '--output', output, '--fold', '2');
    const early = await runSiteAgent(folder, 'evaluate', output);
    expect(early).toMatchObject({ status: 2, stderr: expect.stringMatching(/fold 1 of 3 has no model yet/) as string });
    await writeModelFile(within('start-3.safetensors'), { spec: TINY, weights: initialWeights(TINY, 3) });
    const from = ['--from', within('start-3.safetensors'), '--compare-scratch'];
    const told = await run('finetune', task, ...from, '--output', within('folds-2'), '--json', within('folds.json'));
    process.stderr.write(`${told}\n`);
    const { outOfFold } = read<FoldsSummary>('folds.json');
    const whole = read<EvaluationReport>('folds-2/results.json');
    expect(whole.cases.map(({ name }) => name).sort()).toEqual(Array.from({ length: 6 }, (_, number) => `ball-${number}`));
    expect(outOfFold).toMatchObject({ cases: 6, model: { meanDice: whole.meanDice, meanDiceInterval: whole.meanDiceInterval } });
    const ownMean = (fold: number): number | null => read<EvaluationReport>(`folds-2/fold-${fold}/results.json`).meanDice;
    expect(whole.folds?.map(({ fold, meanDice }) => [fold, meanDice])).toEqual([1, 2, 3].map((fold) => [fold, ownMean(fold)]));
    const page = readFileSync(within('folds-2/report.html'), 'utf8');
    expect(page.match(/<img /g)).toHaveLength(6);
    const again = await run('evaluate', within('folds-2'), '--output', within('again'), '--json', within('again.json'));
    expect(again).toMatch(/fold 3: mean Dice/);
    const { scratch, comparison, startedFrom, ...report } = read<SegmentationFigures>('again.json');
    expect(startedFrom).toMatch(/^sha256:/);
    expect(report).toEqual(whole);
    expect(scratch).toEqual(read<EvaluationReport>('folds-2/scratch/results.json'));
    expect(comparison).toEqual(read<PairedComparison>('folds-2/comparison.json'));
    expect(readFileSync(within('again/report.html'), 'utf8')).toBe(page);
  }, 300_000);

  it('predicts with the mean of all folds, and not while one is missing', async () => {
    const predict = (model: string, ...more: string[]) => [
      'predict',
      within('folded/all/ball-0.nii.gz'),
      '--model',
      within(model),
      '--probabilities',
      ...more,
    ];
    const early = await runSiteAgent(folder, ...predict('folds', '--output', within('none')));
    expect(early).toMatchObject({ status: 2, stderr: expect.stringMatching(/fold 1 of 3 has no model yet/) as string });
    const answers: Float32Array[] = [];
    for (const model of ['folds-2/fold-1', 'folds-2/fold-2', 'folds-2/fold-3', 'folds-2']) {
      const output = within('answers', model);
      await run(...predict(model, '--output', output, '--json', within('answers.json')));
      answers.push((await readNiftiVolume(join(output, 'ball-0_probability_ball.nii.gz'))).voxels);
    }
    const [one, two, three, together] = answers;
    const digests = read<FoldsSummary>('folds.json').runs.map(({ summary }) => summary.model.digest);
    expect(read<{ models: string[] }>('answers.json').models).toEqual(digests);
    expect(one).not.toEqual(two);
    const mean = (voxel: number): number => ((one?.[voxel] ?? NaN) + (two?.[voxel] ?? NaN) + (three?.[voxel] ?? NaN)) / 3;
    const distances = [...(together ?? [])].map((value, voxel) => Math.abs(value - mean(voxel)));
    expect(Math.max(...distances)).toBeLessThan(1e-6);
  }, 120_000);
});

describe('evaluation of a classifier', () => {
  let figures: ClassificationFigures;

  beforeAll(async () => {
    const task = makeClassification(within('kinds'), { training: { steps: 40, validateEverySteps: 20 } });
    const start = within('start-2.safetensors');
    await writeModelFile(start, { spec: TINY, weights: initialWeights(TINY, 3) });
    await run('finetune', task, '--from', start, '--output', within('kind'), '--compare-scratch');
    process.stderr.write(await run('evaluate', within('kind'), '--json', within('kind.json')));
    figures = read<ClassificationFigures>('kind.json');
  }, 240_000);

  it('writes the same figures into each of its files, and compares with the scratch run', () => {
    const { scratch, comparison, startedFrom, ...report } = figures;
    expect(startedFrom).toMatch(/^sha256:/);
    expect(read<ClassificationReport>('kind/results.json')).toEqual(report);
    expect(read<ClassificationReport>('kind/scratch/results.json')).toEqual(scratch);
    expect(comparison?.aucDifference).toBeCloseTo((report.auc ?? NaN) - (scratch?.auc ?? NaN), 12);
    expect(new Set(report.cases.map(({ patient }) => patient)).size).toBe(3);
    const page = readFileSync(within('kind/report.html'), 'utf8');
    expect(page).not.toMatch(/<script|https?:|<link|url\(/i);
    for (const value of [report.auc, report.accuracy, report.brier]) expect(page).toContain(`<b>${shownFigure(value)}</b>`);
    expect(page).toContain('ROC of ball');
    for (const { name } of report.cases) expect(page).toContain(`<td>${name}</td>`);
  });

  it('predicts the same probabilities for the same images, one line each', async () => {
    const test = figures.cases.map(({ name }) => within('kinds/scans', `${name}.nii.gz`));
    await run('predict', ...test, '--model', within('kind'), '--output', within('scores'));
    const lines = readFileSync(within('scores/scores.csv'), 'utf8').trim().split('\n');
    expect(lines[0]).toBe('image,predicted,probability_plain,probability_ball');
    for (const { name, called, probabilities } of figures.cases) {
      const [, predicted, ...values] = lines.find((line) => line.startsWith(`${name},`))?.split(',') ?? [];
      expect(predicted).toBe(figures.classNames[called]);
      values.forEach((value, index) => expect(Number(value)).toBeCloseTo(probabilities[index] ?? NaN, 4));
    }
  }, 60_000);
});

describe('prediction at points', () => {
  it('judges the patch around each point of a table, and a folder names no points', async () => {
    const task = makePatchClassification(within('patches'));
    await run('finetune', task, '--output', within('patch-model'));
    const words = ['--model', within('patch-model'), '--output', within('at-points')];
    const rows = ['image,i,j,k,name', 'patches/scans/scan-0.nii.gz,5,6,7,first', 'patches/scans/scan-1.nii.gz,4,5,6,'];
    writeFileSync(within('points.csv'), rows.join('\n'));
    await run('predict', ...words, '--points', within('points.csv'));
    const lines = readFileSync(within('at-points/scores.csv'), 'utf8').trim().split('\n').slice(1);
    expect(lines).toHaveLength(2);
    expect(lines.map((line) => line.split(',')[0])).toEqual(['first', 'scan-1@4-5-6']);
    const refused = await runSiteAgent(folder, 'predict', within('patches/scans'), ...words);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining('--points') as string });
  }, 180_000);
});

describe('prediction of a DICOM series', () => {
  const model = (): string => within('tiny-mr.safetensors');
  const classes = [
    { name: 'ball', labels: [3] },
    { name: 'shell', labels: [5] },
  ];

  beforeAll(async () => {
    const spec = { ...TINY, outputs: 2 };
    const segmentation = {
      task: 'ball',
      modality: 'MR' as const,
      classes,
      patchSizeVoxels: [16, 16, 16] as [number, number, number],
    };
    await writeModelFile(model(), { spec, weights: initialWeights(spec, 1), segmentation });
    const [tilt, level] = [Math.sin(0.2), Math.cos(0.2)];
    writeDicomSeries(within('scans/p1'), {
      slices: 9,
      rowDirection: [0, level, tilt],
      columnDirection: [0, tilt, -level],
      changes: () => ({ elements: [{ tag: 0x00200052, vr: 'UI', value: '1.2.3.99' }] }),
    });
    makeLabelledCase(within('scans/nifti'), 'case', 0);
    rmSync(within('scans/nifti/case-0-label.nii.gz'));
    await run(
      'predict',
      within('scans/p1'),
      '--model',
      model(),
      '--output',
      within('masks'),
      '--probabilities',
      '--overlap',
      '0.25',
    );
    const words = ['--model', model(), '--output', within('masks'), '--format', 'dicom-seg', '--overlap', '0.25'];
    const told = await run('predict', within('scans'), ...words);
    expect(told).toMatch(/case-0 not used: .*this image is NIfTI/);
  }, 120_000);

  it('gives masks and probabilities in the geometry of the series that agree with each other', async () => {
    expect(readdirSync(within('masks')).sort()).toEqual(
      ['p1_mask.nii.gz', 'p1_probability_ball.nii.gz', 'p1_probability_shell.nii.gz', 'p1_seg.dcm'].sort(),
    );
    const [scan] = await findScans(within('scans/p1'));
    const volume = await readVolume(scan.source);
    const mask = await readNiftiVolume(within('masks/p1_mask.nii.gz'));
    const [ball, shell] = [
      await readNiftiVolume(within('masks/p1_probability_ball.nii.gz')),
      await readNiftiVolume(within('masks/p1_probability_shell.nii.gz')),
    ];
    for (const answer of [mask, ball, shell]) {
      expect(answer.source).toMatchObject({ sizeVoxels: volume.source.sizeVoxels, rasAxis: volume.source.rasAxis });
      answer.affine.forEach((entry, index) => expect(entry).toBeCloseTo(volume.affine[index] ?? NaN, 4));
    }
    const expected = ball.voxels.map((p, voxel) => {
      const q = shell.voxels[voxel] ?? 0;
      return Math.max(p, q) <= 0.5 ? 0 : p >= q ? 3 : 5;
    });
    expect(mask.voxels).toEqual(expected);
    expect(new Set(mask.voxels).size).toBeGreaterThan(1);
  });

  it('gives a DICOM segmentation with the very voxels of the mask', async () => {
    const { frames, frameOfReference } = await readSegmentation(within('masks/p1_seg.dcm'));
    const mask = await readNiftiVolume(within('masks/p1_mask.nii.gz'));
    expect(frameOfReference).toBe('1.2.3.99');
    classes.forEach(({ labels }, index) => {
      const there = frames.filter(({ segment }) => segment === index + 1).flatMap(({ pixels }) => pixels);
      expect(there.filter((inside) => inside === 1)).toHaveLength(mask.voxels.filter((value) => value === labels[0]).length);
    });
  });

  describeWithDicomOracle('in highdicom', (python) => {
    it('has the voxels, the places and the frame of reference of mask and series', () => {
      const script = `
import sys, highdicom, nibabel, numpy, pydicom
from pathlib import Path
folder, series = Path(sys.argv[1]), Path(sys.argv[2])
segmentation = highdicom.seg.segread(folder / "p1_seg.dcm")
images = {image.SOPInstanceUID: image for image in map(pydicom.dcmread, series.iterdir())}
assert segmentation.FrameOfReferenceUID == next(iter(images.values())).FrameOfReferenceUID
assert segmentation.StudyInstanceUID == next(iter(images.values())).StudyInstanceUID
uids = list(images)
pixels = segmentation.get_pixels_by_source_instance(
    source_sop_instance_uids=uids, segment_numbers=[1, 2], assert_missing_frames_are_empty=True)
mask = nibabel.load(folder / "p1_mask.nii.gz")
values = numpy.asarray(mask.dataobj)
to_voxel = numpy.linalg.inv(mask.affine)
marked = 0
for uid, planes in zip(uids, pixels):
    image = images[uid]
    row, column = numpy.array(image.ImageOrientationPatient[:3]), numpy.array(image.ImageOrientationPatient[3:])
    for r in range(image.Rows):
        for c in range(image.Columns):
            lps = numpy.array(image.ImagePositionPatient) + row * image.PixelSpacing[1] * c + column * image.PixelSpacing[0] * r
            i, j, k = numpy.rint((to_voxel @ [-lps[0], -lps[1], lps[2], 1])[:3]).astype(int)
            expected = {0: (0, 0), 3: (1, 0), 5: (0, 1)}[int(values[i, j, k])]
            assert tuple(planes[r, c]) == expected, (uid, r, c)
            marked += sum(expected)
for frame in segmentation.PerFrameFunctionalGroupsSequence:
    source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
    place = frame.PlanePositionSequence[0].ImagePositionPatient
    assert numpy.allclose(numpy.array(place, float), numpy.array(images[source].ImagePositionPatient, float), atol=1e-4)
assert [segment.SegmentLabel for segment in segmentation.SegmentSequence] == ["ball", "shell"]
print(marked)`;
      const marked = Number(execFileSync(python, ['-c', script, within('masks'), within('scans/p1')], { encoding: 'utf8' }));
      expect(marked).toBeGreaterThan(0);
    }, 60_000);
  });
});
