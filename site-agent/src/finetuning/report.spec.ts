import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SegmentedImage } from '../trainer/trainer-messages.js';
import { formatCsv, makeReport, writeReport } from './report.js';

const classes = [{ name: 'core' }, { name: 'edge, outer' }];
const images: SegmentedImage[] = [
  {
    name: 'a',
    maskPath: undefined,
    counts: [
      { predicted: 10, labelled: 10, both: 5 },
      { predicted: 0, labelled: 0, both: 0 },
    ],
    foregroundVoxels: [10, 0],
    voxelMm3: 100,
  },
  { name: 'b', refused: { code: 'VOLUME_UNREADABLE', message: 'cut short' } },
];

describe('evaluation report', () => {
  const report = makeReport({ name: 'liver', classes }, 'sha256:00', images);

  it('scores each class of each case by hand-computed values', () => {
    expect(report.cases).toEqual([
      {
        name: 'a',
        dice: 0.75,
        classes: [
          { name: 'core', dice: 0.5, foregroundIou: 1 / 3, predictedMl: 1, labelledMl: 1 },
          { name: 'edge, outer', dice: 1, foregroundIou: 1, predictedMl: 0, labelledMl: 0 },
        ],
      },
    ]);
    expect(report).toMatchObject({ meanDice: 0.75, meanDiceInterval: null, refused: [{ name: 'b', reason: 'cut short' }] });
    expect(report.classMeans).toEqual([
      { name: 'core', dice: 0.5 },
      { name: 'edge, outer', dice: 1 },
    ]);
  });

  it('has no mean when nothing could be scored', () => {
    const empty = makeReport({ name: 'liver', classes }, 'sha256:00', images.slice(1));
    expect(empty).toMatchObject({ meanDice: null, meanForegroundIou: null, classMeans: [] });
  });

  it('writes one row per case and class, quoting where a spreadsheet needs it', async () => {
    expect(formatCsv(report)).toBe(
      'case,class,dice,foreground_iou,predicted_ml,labelled_ml\na,core,0.5,0.333333,1,1\na,"edge, outer",1,1,0,0\n',
    );
    const folder = await mkdtemp(join(tmpdir(), 'report-'));
    const { json, csv } = await writeReport(folder, report);
    expect(JSON.parse(await readFile(json, 'utf8'))).toEqual(report);
    expect(await readFile(csv, 'utf8')).toBe(formatCsv(report));
    await rm(folder, { recursive: true });
  });
});
