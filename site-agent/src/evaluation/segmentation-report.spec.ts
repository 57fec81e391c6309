import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SegmentedImage } from '../trainer/trainer-messages.js';
import { comparePaired } from './compare-runs.js';
import { renderSegmentationPage } from './html/segmentation-page.js';
import { formatCsv, makeReport, writeReport } from './segmentation-report.js';

const classes = [{ name: 'core' }, { name: 'edge, outer' }];
const task = { name: 'liver', classes, cases: { test: [{ name: 'a', patient: 'p1' }, { name: 'b' }] } };
const none = { maskPath: undefined, probabilityPaths: undefined, legacy: undefined };
const images: SegmentedImage[] = [
  {
    name: 'a',
    ...none,
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
    expect(report.cases).toEqual([
      {
        name: 'a',
        patient: 'p1',
        dice: 0.75,
        classes: [
          { ...core, predictedMl: 1, labelledMl: 1 },
          { ...empty, predictedMl: 0, labelledMl: 0 },
        ],
      },
    ]);
    expect(report).toMatchObject({ meanDice: 0.75, meanDiceInterval: null, refused: [{ name: 'b', reason: 'cut short' }] });
    expect(report.classMeans).toEqual([
      { name: 'core', dice: 0.5 },
      { name: 'edge, outer', dice: 1 },
    ]);
    expect(report.classes[1]?.figures.hd95Mm).toMatchObject({ cases: 0, undefinedCases: 1, mean: null });
  });

  it('has no mean when nothing could be scored', () => {
    const empty = makeReport(task, 'sha256:00', images.slice(1));
    expect(empty).toMatchObject({ meanDice: null, meanForegroundIou: null, classMeans: [] });
  });

  it('writes one row per case and class, quoting where a spreadsheet needs it and nothing where there is nothing', async () => {
    expect(formatCsv(report)).toBe(
      'case,patient,class,dice,foreground_iou,hd95_mm,assd_mm,sensitivity,ppv,predicted_ml,labelled_ml\n' +
        'a,p1,core,0.5,0.333333,4,1.5,0.5,0.5,1,1\na,p1,"edge, outer",1,1,,,,,0,0\n',
    );
    const folder = await mkdtemp(join(tmpdir(), 'report-'));
    const { json, csv } = await writeReport(folder, report);
    expect(JSON.parse(await readFile(json, 'utf8'))).toEqual(report);
    expect(await readFile(csv, 'utf8')).toBe(formatCsv(report));
    await rm(folder, { recursive: true });
  });

  it('is a page that nothing a case is called can turn into more', () => {
    const renamed = { ...report, task: '<img src=x onerror=alert(1)>' };
    const comparison = comparePaired([], []);
    const scratch = { report, course: undefined, comparison };
    const page = renderSegmentationPage({ report: renamed, course: undefined, scratch, pictures: new Map() });
    expect(page).not.toContain('<img');
    expect(page).toContain('&lt;img src=x');
    expect(page).toContain('cut short');
  });

  it('draws the course of training, the scratch run beside the model', () => {
    const course = { validations: [1, 2, 3].map((step) => ({ step, loss: 1 / step, trainingLoss: null, dice: step / 4 })) };
    const scratch = { report, course, comparison: comparePaired([], []) };
    const alone = renderSegmentationPage({ report, course, scratch: undefined, pictures: new Map() });
    const beside = renderSegmentationPage({ report, course, scratch, pictures: new Map() });
    const lines = (page: string): number => page.split('Course of training')[1]?.match(/<polyline/g)?.length ?? 0;
    expect([lines(alone), lines(beside)]).toEqual([2, 4]);
  });
});
