import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Digest } from '@consilium/shared/kernel';
import type { CalibrationSums } from './metrics/voxel-calibration.js';
import type { SegmentedImage } from '../trainer/trainer-messages.js';
import { comparePaired } from './compare-runs.js';
import { renderSegmentationPage } from './html/segmentation-page.js';
import { type EvaluationReport, formatCsv, makeReport, poolReports, writeReport } from './segmentation-report.js';

const classes = [{ name: 'core' }, { name: 'edge, outer' }];
const task = { name: 'liver', classes, cases: { test: [{ name: 'a', patient: 'p1' }, { name: 'b' }] } };
const none = { maskPath: undefined, probabilityPaths: undefined, calibration: undefined, legacy: undefined };
/** Eight voxels at 0.05 of which none is of the class, two at 0.75 of which one is. */
const SUMS: CalibrationSums = {
  voxels: [8, 0, 0, 0, 0, 0, 0, 2, 0, 0],
  probability: [0.4, 0, 0, 0, 0, 0, 0, 1.5, 0, 0],
  labelled: [0, 0, 0, 0, 0, 0, 0, 1, 0, 0],
};
const images: SegmentedImage[] = [
  {
    name: 'a',
    ...none,
    calibration: [SUMS, null],
    counts: [
      { predicted: 10, labelled: 10, both: 5 },
      { predicted: 0, labelled: 0, both: 0 },
    ],
    surfaces: [
      { hd95Mm: 4, assdMm: 1.5 },
      { hd95Mm: null, assdMm: null },
    ],
    foregroundVoxels: [10, 0],
    voxelMm3: 100,
  },
  { name: 'b', refused: { code: 'VOLUME_UNREADABLE', message: 'cut short' } },
];

describe('evaluation report', () => {
  const report = makeReport(task, 'sha256:00', images);

  it('scores each class of each case by hand-computed values', () => {
    const empty = { name: 'edge, outer', dice: 1, foregroundIou: 1, hd95Mm: null, assdMm: null, sensitivity: null, ppv: null };
    const core = { name: 'core', dice: 0.5, foregroundIou: 1 / 3, hd95Mm: 4, assdMm: 1.5, sensitivity: 0.5, ppv: 0.5 };
    const error = 0.8 * 0.05 + 0.2 * 0.25;
    const calibrated = { expectedCalibrationError: expect.closeTo(error, 12) as number, calibration: SUMS };
    expect(report.cases).toEqual([
      {
        name: 'a',
        patient: 'p1',
        dice: 0.75,
        classes: [
          { ...core, ...calibrated, predictedMl: 1, labelledMl: 1 },
          { ...empty, expectedCalibrationError: null, calibration: null, predictedMl: 0, labelledMl: 0 },
        ],
      },
    ]);
    expect(report).toMatchObject({ meanDice: 0.75, meanDiceInterval: null, refused: [{ name: 'b', reason: 'cut short' }] });
    expect(report.classMeans).toEqual([
      { name: 'core', dice: 0.5 },
      { name: 'edge, outer', dice: 1 },
    ]);
    expect(report.classes[0]?.reliability?.[7]).toEqual({
      from: 0.7,
      to: 0.8,
      voxels: 2,
      meanProbability: 0.75,
      observedShare: 0.5,
    });
    expect(report.classes.map(({ reliability }) => reliability === null)).toEqual([false, true]);
    expect(report.classes[1]?.figures.hd95Mm).toMatchObject({ cases: 0, undefinedCases: 1, mean: null });
  });

  it('has no mean when nothing could be scored', () => {
    const empty = makeReport(task, 'sha256:00', images.slice(1));
    expect(empty).toMatchObject({ meanDice: null, meanForegroundIou: null, classMeans: [] });
  });

  it('writes one row per case and class, quoting where a spreadsheet needs it and nothing where there is nothing', async () => {
    expect(formatCsv(report)).toBe(
      'case,patient,class,dice,foreground_iou,hd95_mm,assd_mm,sensitivity,ppv,ece,predicted_ml,labelled_ml\n' +
        'a,p1,core,0.5,0.333333,4,1.5,0.5,0.5,0.09,1,1\na,p1,"edge, outer",1,1,,,,,,0,0\n',
    );
    const folder = await mkdtemp(join(tmpdir(), 'report-'));
    const { json, csv } = await writeReport(folder, report);
    expect(JSON.parse(await readFile(json, 'utf8'))).toEqual(report);
    expect(await readFile(csv, 'utf8')).toBe(formatCsv(report));
    await rm(folder, { recursive: true });
  });

  it('draws the reliability of each class that has one', () => {
    const page = renderSegmentationPage({ report, courses: [], scratch: undefined, pictures: new Map() });
    expect(page).toContain('Voxels around core');
    expect(page).not.toContain('Voxels around edge');
    expect(page).toContain('<title>2 voxels</title>');
  });

  it('is a page that nothing a case is called can turn into more', () => {
    const renamed = { ...report, task: '<img src=x onerror=alert(1)>' };
    const comparison = comparePaired([], []);
    const scratch = { report, comparison };
    const page = renderSegmentationPage({ report: renamed, courses: [], scratch, pictures: new Map() });
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;img src=x');
    expect(page).toContain('cut short');
  });

  it('draws the course of training, the scratch run beside the model', () => {
    const course = { validations: [1, 2, 3].map((step) => ({ step, loss: 1 / step, trainingLoss: null, dice: step / 4 })) };
    const alone = [{ model: course, scratch: undefined }];
    const beside = [{ model: course, scratch: course }];
    const folds = [1, 2].map((fold) => ({ fold, model: course, scratch: course }));
    const pages = [alone, beside, folds].map((courses) =>
      renderSegmentationPage({ report, courses, scratch: undefined, pictures: new Map() }),
    );
    const lines = (page: string): number => page.split('Course of training')[1]?.match(/<polyline/g)?.length ?? 0;
    expect(pages.map(lines)).toEqual([2, 4, 8]);
    expect(pages[2]).toContain('Validation Dice, fold 2');
  });
});

describe('report on all folds', () => {
  /** Fold 1 has three cases of two patients, fold 2 one case of a third. */
  const both = [5, 5, 8, 2];
  const caseNames = ['a', 'b', 'c', 'd'];
  const patients = ['p1', 'p1', 'p2', 'p3'];
  const reportOn = (indices: readonly number[], digest: Digest): EvaluationReport => {
    const test = indices.map((index) => ({ name: caseNames[index] ?? '', patient: patients[index] ?? '' }));
    const segmented = indices.map((index): SegmentedImage => {
      const counts = [{ predicted: 10, labelled: 10, both: both[index] ?? 0 }];
      return { name: caseNames[index] ?? '', ...none, counts, surfaces: undefined, foregroundVoxels: [10], voxelMm3: 1 };
    });
    return makeReport({ name: 'liver', classes: [{ name: 'core' }], cases: { test } }, digest, segmented);
  };
  const runs = [
    { fold: 1, report: reportOn([0, 1, 2], 'sha256:01') },
    { fold: 2, report: reportOn([3], 'sha256:02') },
  ];
  const pooled = poolReports({ name: 'liver', classes: [{ name: 'core' }] }, runs);

  it('is what one model would be told of with these cases, beside the means of the folds', () => {
    const { cases, folds, ...figures } = pooled;
    const { cases: sameCases, ...same } = reportOn([0, 1, 2, 3], 'sha256:03');
    expect(figures).toEqual({ ...same, model: null });
    expect(pooled.meanDice).toBeCloseTo(0.5, 12); // over cases; the mean of the folds' means is 0.4
    expect(pooled.meanDiceInterval).not.toBeNull(); // three patients, which no fold has
    expect(cases).toEqual(sameCases.map((entry, index) => ({ ...entry, fold: index < 3 ? 1 : 2 })));
    expect(folds).toEqual([
      { fold: 1, model: 'sha256:01', cases: 3, meanDice: expect.closeTo(0.6, 12) as number },
      { fold: 2, model: 'sha256:02', cases: 1, meanDice: expect.closeTo(0.2, 12) as number },
    ]);
  });

  it('says on page and table whose fold each case is of', () => {
    expect(formatCsv(pooled).split('\n').slice(0, 2)).toEqual([
      'case,patient,class,dice,foreground_iou,hd95_mm,assd_mm,sensitivity,ppv,ece,predicted_ml,labelled_ml,fold',
      'a,p1,core,0.5,0.333333,,,0.5,0.5,,0.01,0.01,1',
    ]);
    const page = renderSegmentationPage({ report: pooled, courses: [], scratch: undefined, pictures: new Map() });
    expect(page).toContain('2 models, one of each fold');
    expect(page).toContain('<td class="number">2</td><td class="number">1</td><td class="number">0.200</td>');
  });

  it('refuses a case that two folds tested', () => {
    const twice = [...runs, { fold: 3, report: reportOn([1], 'sha256:03') }];
    expect(() => poolReports({ name: 'liver', classes: [{ name: 'core' }] }, twice)).toThrow(
      /b is tested in fold 1 and in fold 3/,
    );
  });
});
