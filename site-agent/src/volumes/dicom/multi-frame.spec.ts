import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeEnhancedFile, makeMosaicFile } from '../../../../test/fixtures/make-dicom-frames.js';
import { makeDicomSlice, type MadeEncoding } from '../../../../test/fixtures/make-dicom.js';
import type { DicomFacts } from './dicom-facts.js';
import { readDicomFacts } from './read-dicom-facts.js';
import { readDicomPlanes } from './read-dicom-planes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'multi-frame-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function factsOf(bytes: Uint8Array): Promise<DicomFacts> {
  const path = join(folder, 'scan');
  writeFileSync(path, bytes);
  const facts = await readDicomFacts(path);
  if (facts === undefined) throw new Error('not DICOM');
  return facts;
}

describe('enhanced multi-frame files', () => {
  it.each<[MadeEncoding, boolean]>([
    ['explicit', true],
    ['explicit', false],
    ['implicit', true],
    ['big-endian', false],
  ])('have a plane for each frame (%s, delimited %s)', async (encoding, delimited) => {
    const facts = await factsOf(makeEnhancedFile({ frames: 6, columns: 3, rows: 2, encoding, delimited, times: 2 }));
    expect(facts.planes).toHaveLength(6);
    expect(facts.planes[3]).toMatchObject({
      frame: 3,
      position: [0, 0, 1],
      rowDirection: [1, 0, 0],
      columnDirection: [0, 1, 0],
      spacingMm: [0.5, 0.75],
      slope: 2,
      intercept: -3,
    });
    expect(facts.sliceThicknessMm).toBe(1);
    const planes = await readDicomPlanes(facts, facts.planes);
    expect(planes.map(({ values }) => [...new Set(values)])).toEqual([[0], [1], [2], [3], [4], [5]]);
  });

  it('have keys that tell time points apart and not slices, with and without a dimension organisation', async () => {
    for (const withoutDimensions of [false, true]) {
      const { planes } = await factsOf(makeEnhancedFile({ frames: 22, columns: 1, rows: 1, times: 11, withoutDimensions }));
      const keys = planes.map(({ dimensionKey }) => dimensionKey ?? '');
      expect(new Set(keys).size).toBe(11);
      expect(keys.slice(0, 11)).toEqual(keys.slice(11));
      expect(keys.slice(0, 11)).toEqual(keys.slice(0, 11).sort());
    }
  });

  it('of the classic kind have no places', async () => {
    const elements = [{ tag: 0x00280008, vr: 'IS', value: '2' }];
    const { planes } = await factsOf(makeDicomSlice({ columns: 2, rows: 2, pixels: new Int16Array(8), elements }));
    expect(planes.map(({ position }) => position)).toEqual([undefined, undefined]);
  });

  it('give frames in the order asked for', async () => {
    const facts = await factsOf(makeEnhancedFile({ frames: 20, columns: 1, rows: 1 }));
    const planes = await readDicomPlanes(facts, facts.planes.toReversed());
    expect(planes.map(({ values }) => values[0])).toEqual(Array.from({ length: 20 }, (_, index) => 19 - index));
  });
});

describe('Siemens mosaics', () => {
  const mosaic = { tiles: 5, tileColumns: 4, tileRows: 2, position: [10, 20, 30], spacingMm: [1.5, 2], stepMm: 3 } as const;

  it.each(['newer', 'older', 'number'] as const)('fall into their tiles (%s header)', async (header) => {
    const facts = await factsOf(makeMosaicFile({ ...mosaic, header }));
    expect(facts.pixels).toMatchObject({ columns: 12, rows: 6, planeColumns: 4, planeRows: 2 });
    expect(facts.planes.map(({ tile }) => tile)).toEqual([
      [0, 0],
      [1, 0],
      [2, 0],
      [0, 1],
      [1, 1],
    ]);
    // nibabel: the stated position + half of what the mosaic is larger by, (12 − 4) · 2 / 2 and (6 − 2) · 1.5 / 2
    expect(facts.planes.map(({ position }) => position)).toEqual([0, 1, 2, 3, 4].map((tile) => [18, 23, 30 + 3 * tile]));
    const planes = await readDicomPlanes(facts, facts.planes);
    expect(planes.map(({ values }) => [...values])).toEqual(
      [0, 1, 2, 3, 4].map((tile) => [0, 1, 2, 3, 4, 5, 6, 7].map((each) => 100 * tile + each)),
    );
  });

  it('are stacked towards where the private header says', async () => {
    const facts = await factsOf(makeMosaicFile({ ...mosaic, normal: [0, 0, -1] }));
    expect(facts.planes[4]?.position).toEqual([18, 23, 18]);
    const oblique = await factsOf(makeMosaicFile({ ...mosaic, orientation: [1, 0, 0, 0, 0, -1], normal: [0, 1, 0] }));
    expect(oblique.planes[2]?.position?.map((each) => Math.round(each))).toEqual([18, 26, 27]);
  });

  it('without a count of tiles are one plane that is no tile, for the series to refuse', async () => {
    const facts = await factsOf(makeMosaicFile({ ...mosaic, without: [0x00291110] }));
    expect(facts.imageType).toContain('MOSAIC');
    expect(facts.planes.map(({ tile }) => tile)).toEqual([undefined]);
  });
});
