import { digestOfJson } from '@consilium/shared/kernel';
import { describeIntensities } from '../../volumes/intensity-statistics.js';
import type { Modality } from '../../volumes/volume.js';
import type { ScanRecord, VolumeRecord } from '../scan-record.js';
import { histogramsOf } from './histograms.js';
import { describeCollection } from './describe-collection.js';
import { montage } from './report-montage.js';
import { renderReportHtml } from './report-html.js';
import { renderReportText } from './report-text.js';

const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);

function volumeOf(frame = 0, values: readonly number[] = [0, 1, 2, 3, 100]): VolumeRecord {
  const digest = digestOfJson({ frame, values });
  return { frame, digest, statistics: describeIntensities(Float32Array.from(values)), repairedVoxels: 0, thumbnail: PNG };
}

function scanOf(path: string, change: Partial<ScanRecord> = {}): ScanRecord {
  return {
    path,
    kind: 'nifti',
    series: undefined,
    status: 'ok',
    code: undefined,
    reason: undefined,
    remedy: undefined,
    geometry: { sizeVoxels: [256, 256, 22], spacingMm: [0.859, 0.859, 6.5], affine: [], orientation: 'RAS', frames: 1 },
    modality: 'MR',
    bodyPart: undefined,
    patient: undefined,
    examination: undefined,
    files: 1,
    bytes: 1024,
    checked: true,
    unusedBecause: undefined,
    privacyWarnings: [],
    volumes: [volumeOf()],
    ...change,
  };
}

const refused = (path: string, reason: string, remedy?: string): ScanRecord =>
  scanOf(path, {
    status: 'refused',
    code: 'VOLUME_UNREADABLE',
    reason,
    remedy,
    geometry: undefined,
    modality: undefined,
    volumes: [],
  });

const SCANS = [
  scanOf('/data/head/a.nii.gz', { bodyPart: 'HEAD', patient: 'p1' }),
  scanOf('/data/head/b.nii.gz', { bodyPart: 'HEAD', patient: 'p1', privacyWarnings: ['a head with a face region'] }),
  scanOf('/data/body', {
    kind: 'dicom',
    series: '3f2a',
    modality: 'CT',
    bodyPart: 'CHEST',
    files: 40,
    volumes: [volumeOf(0, [-1000, -1000, 40, 60])],
  }),
  scanOf('/data/odd.nii', { modality: undefined, unusedBecause: 'modality unknown', remedy: 'Give it with --modality.' }),
  scanOf('/data/new.nii', { checked: false, volumes: [] }),
  refused('/data/cut.nii.gz', 'the compressed data is cut short', 'Copy it again.'),
  refused('/data/cut2.nii.gz', 'the compressed data is cut short', 'Copy it again.'),
  scanOf('/data/tilted', { status: 'reported', reason: 'slices 4 to 5 are missing', remedy: 'Send the series again.' }),
];

describe('describeCollection', () => {
  it('counts scans, volumes, files and patients', () => {
    expect(describeCollection(SCANS)).toMatchObject({
      root: '/data',
      scans: 8,
      volumes: 6,
      files: 47,
      patients: 1,
      usable: 4,
      unchecked: 1,
      byStatus: { ok: 5, reported: 1, refused: 2 },
    });
  });

  it('sorts by modality and region', () => {
    expect(describeCollection(SCANS).kinds).toEqual([
      { modality: 'CT', region: 'chest', scans: 1, usable: 1 },
      { modality: 'MR', region: 'head', scans: 2, usable: 2 },
      { modality: 'MR', region: 'not stated', scans: 2, usable: 1 },
      { modality: 'unknown', region: 'not stated', scans: 1, usable: 0 },
    ]);
  });

  it('puts equal reasons together with what helps', () => {
    const { refused: findings, unused, reported, privacy } = describeCollection(SCANS);
    expect(findings.map(({ reason, remedy, scans }) => [reason, remedy, scans.length])).toEqual([
      ['the compressed data is cut short', 'Copy it again.', 2],
    ]);
    expect(unused).toMatchObject([{ reason: 'modality unknown', remedy: 'Give it with --modality.' }]);
    expect(reported).toMatchObject([{ reason: 'slices 4 to 5 are missing', remedy: 'Send the series again.' }]);
    expect(privacy).toMatchObject([{ reason: 'a head with a face region', remedy: undefined }]);
  });

  it('knows a remedy for damage that brings none', () => {
    const [finding] = describeCollection([refused('/x.nii', 'the file is empty')]).refused;
    expect(finding?.remedy).toMatch(/Copy or export it again/);
  });

  it.each([
    ['one scan', ['/a/b/c.nii'], '/a/b'],
    ['neighbours', ['/a/b/c.nii', '/a/bc/d.nii'], '/a'],
    ['a scan above', ['/a/b/c/d.nii', '/a/b/e.nii'], '/a/b'],
    ['nothing in common', ['/a/b.nii', '/c/d.nii'], '/'],
    ['no scan', [], '/'],
  ])('finds the folder of %s', (_title, paths, root) => {
    expect(describeCollection(paths.map((path) => scanOf(path))).root).toBe(root);
  });

  it('fills spacing bars with the sides of voxels', () => {
    const [finest, coarsest] = histogramsOf([scanOf('/a.nii')]);
    expect(finest?.bars.filter(({ value }) => value > 0)).toEqual([{ label: '0.75 to 1', value: 1 }]);
    expect(coarsest?.bars.filter(({ value }) => value > 0)).toEqual([{ label: '5 to 7', value: 1 }]);
  });

  it.each<[Modality, readonly number[]]>([
    ['CT', [-3024, -1000, -1000, 0, 40, 80, 3000]],
    ['MR', [0, 0, 5, 6, 7, 900, 1200]],
  ])('spreads %s voxels over the bars, each volume with the same weight', (modality, values) => {
    const scans = [scanOf('/a.nii', { modality, volumes: [volumeOf(0, values), volumeOf(1, [...values, ...values])] })];
    const shares = histogramsOf(scans).at(-1)?.bars ?? [];
    expect(shares.reduce((sum, { value }) => sum + value, 0)).toBeCloseTo(100, 6);
  });

  it('survives a constant volume', () => {
    const scans = [scanOf('/a.nii', { volumes: [volumeOf(0, [7, 7, 7])] })];
    for (const { value } of histogramsOf(scans).flatMap(({ bars }) => bars)) expect(value).not.toBeNaN();
  });
});

describe('renderReportText', () => {
  const text = renderReportText(SCANS);

  it.each([
    '8 scans in /data: 6 volumes, 47 files, 8.0 KiB',
    '5 ok, 1 with a remark, 2 refused; training uses 4',
    'Cannot be used (2 scans)',
    '2 × the compressed data is cut short [VOLUME_UNREADABLE]',
    '→ Copy it again.',
    'cut2.nii.gz',
    'modality unknown',
    'a head with a face region',
    'For research only',
  ])('says "%s"', (line) => expect(text).toContain(line));

  it('says when there is nothing', () => expect(renderReportText([])).toMatch(/^No scan found\./));

  it('lets no file name command the terminal', () => {
    const hostile = renderReportText([refused('/data/\u001b[2J\u202egpj.nii', 'bad \u0007 reason')]);
    expect(hostile).toContain('\\u{1b}[2J\\u{202e}gpj.nii');
    expect(hostile).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  });

  it('counts names beyond the first few', () => {
    const many = Array.from({ length: 20 }, (_, index) => refused(`/data/${index}.nii`, 'the file is empty'));
    expect(renderReportText(many)).toContain('… and 12 more');
  });
});

describe('renderReportHtml', () => {
  const page = renderReportHtml(SCANS);

  it.each([
    'the compressed data is cut short',
    'Copy it again.',
    'head/a.nii.gz',
    'body · series 3f2a',
    '256 × 256 × 22 voxels, 0.859 × 0.859 × 6.5 mm',
    'CT, region chest',
    'voxels not read yet',
    'a head with a face region',
    "The patient's right is on the viewer's left",
    'For research only',
    'slices 4 to 5 are missing',
  ])('shows "%s"', (part) => expect(page).toContain(part));

  it('asks nothing of any other computer and runs nothing', () => {
    expect(page).not.toMatch(/https?:|<script|<link|@import|url\(|<iframe|\son\w+=/i);
    expect(page).toContain("default-src 'none'");
  });

  it('names every picture, every column and every chart', () => {
    for (const image of page.match(/<img[^>]*>/g) ?? []) expect(image).toMatch(/ alt="[^"]+"/);
    for (const chart of page.match(/<svg[^>]*>/g) ?? []) expect(chart).toMatch(/role="img" aria-label="[^"]+"/);
    for (const table of page.match(/<table.*?<\/thead>/gs) ?? []) expect(table).toMatch(/<th scope="col"/);
    expect(page.match(/<img/g)).toHaveLength(5);
  });

  it('lets no name or reason become markup', () => {
    const name = `/data/"><img src=x onerror=alert(1)>'&amp;.nii`;
    const hostile = renderReportHtml([
      scanOf(name, { bodyPart: '<b>', privacyWarnings: ['<i>'], unusedBecause: '<u>', status: 'reported', reason: '<s>' }),
      refused('/data/</style><script>alert(1)</script>', '</table><script>', '<em>'),
    ]);
    expect(hostile).not.toMatch(/<img src=x|<script|<b>(?!\w)(?!Spacing)<|<i>|<u>|<s>|<em>/);
    expect(hostile).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;amp;.nii');
    expect(hostile.match(/<\/style>/g)).toHaveLength(1);
  });

  it('shows some of many time points and counts the rest', () => {
    const frames = Array.from({ length: 9 }, (_, frame) => volumeOf(frame));
    const shown = renderReportHtml([scanOf('/data/4d.nii', { volumes: frames })]);
    expect(shown.match(/<img/g)).toHaveLength(4);
    expect(shown).toContain('and 5 more volumes of 4d.nii');
  });

  it('leaves pictures out when a page would grow too large', () => {
    const scans = Array.from({ length: 5 }, (_, index) => scanOf(`/data/${index}.nii`));
    const shown = montage(scans, '/data', 3);
    expect(shown.match(/<img/g)).toHaveLength(3);
    expect(shown.match(/too many pictures/g)).toHaveLength(2);
  });

  it('folds a thousand scans into parts, in less than two seconds', () => {
    const picture = new Uint8Array(8000).fill(7);
    const scans = Array.from({ length: 1000 }, (_, index) =>
      scanOf(`/data/${index}.nii`, { volumes: [{ ...volumeOf(), thumbnail: picture }] }),
    );
    const before = process.cpuUsage();
    const many = renderReportHtml(scans);
    expect(process.cpuUsage(before).user / 1e6).toBeLessThan(2);
    expect(many.match(/<details open>/g)).toHaveLength(1);
    expect(many.match(/<summary>MR, region not stated: scans /g)).toHaveLength(17);
    expect(many.match(/loading="lazy"/g)).toHaveLength(1000);
  });

  it('shows all pictures of a small collection at once', () => {
    const few = renderReportHtml([scanOf('/data/a.nii'), scanOf('/data/b.nii', { bodyPart: 'KNEE' })]);
    expect(few.match(/<details open><summary>(MR|CT), region/g)).toHaveLength(2);
  });

  it('is a page even without scans', () => expect(renderReportHtml([])).toContain('No scan here can be read.'));
});
