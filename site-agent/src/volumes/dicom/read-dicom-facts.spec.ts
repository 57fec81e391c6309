import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import {
  makeDicomFile,
  makeDicomSlice,
  type MadeElement,
  type MadeEncoding,
  type MadeSlice,
} from '../../../../test/fixtures/make-dicom.js';
import type { DicomFacts } from './dicom-facts.js';
import { whyPixelsUnsuitable } from './pixel-support.js';
import { readDicomFacts } from './read-dicom-facts.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dicom-facts-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function read(bytes: Uint8Array): Promise<DicomFacts | undefined> {
  const path = join(folder, 'scan');
  writeFileSync(path, bytes);
  return readDicomFacts(path);
}

async function factsOf(bytes: Uint8Array): Promise<DicomFacts> {
  const facts = await read(bytes);
  if (facts === undefined) throw new Error('not DICOM');
  return facts;
}

async function reasonFor(bytes: Uint8Array): Promise<string> {
  try {
    return (await read(bytes)) === undefined ? 'not DICOM' : 'read';
  } catch (error) {
    return error instanceof FederationError ? `${error.code}: ${error.message}` : String(error);
  }
}

const slice: MadeSlice = {
  columns: 4,
  rows: 3,
  pixels: new Int16Array(12),
  position: [-12.5, 30.25, 7],
  orientation: [0, 1, 0, 0, 0, -1],
  spacingMm: [0.5, 0.75],
  slope: 2.5,
  intercept: -1024,
  elements: [
    { tag: 0x00080008, vr: 'CS', value: 'ORIGINAL\\PRIMARY\\AXIAL' },
    { tag: 0x00080032, vr: 'TM', value: '101530.5' },
    { tag: 0x00081140, vr: 'SQ', value: [[{ tag: 0x00080018, vr: 'UI', value: '9.9' }], []], delimited: true },
    { tag: 0x00180081, vr: 'DS', value: '12.5' },
    { tag: 0x00189087, vr: 'FD', value: [800] },
    { tag: 0x00280120, vr: 'SS', value: [-2000 + 65_536] },
  ],
};

describe('the facts of a single-frame file', () => {
  it.each<MadeEncoding>(['explicit', 'implicit', 'big-endian', 'deflated'])('are read from %s', async (encoding) => {
    expect(await factsOf(makeDicomSlice({ ...slice, encoding }))).toMatchObject({
      sopClass: '1.2.840.10008.5.1.4.1.1.2',
      sopInstance: '1.2.3.4.1',
      modality: 'CT',
      patientId: 'P1',
      imageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
      acquisitionTimeS: 36_930.5,
      echoTimeMs: 12.5,
      bValue: 800,
      pixels: { rows: 3, columns: 4, frames: 1, bitsAllocated: 16, bitsStored: 16, signed: true, padding: [-2000, -2000] },
      planes: [
        {
          position: [-12.5, 30.25, 7],
          rowDirection: [0, 1, 0],
          columnDirection: [0, 0, -1],
          spacingMm: [0.5, 0.75],
          slope: 2.5,
          intercept: -1024,
        },
      ],
    });
  });

  it('are read without preamble, but only from what is convincing', async () => {
    expect((await factsOf(makeDicomSlice({ ...slice, bare: true }))).modality).toBe('CT');
    expect((await factsOf(makeDicomSlice({ ...slice, bare: true, encoding: 'implicit' }))).modality).toBe('CT');
    expect(await read(makeDicomSlice({ ...slice, bare: true, without: [0x00080016] }))).toBeUndefined();
    expect(await read(Buffer.from('\x08\0\x05\0CS and some other text that goes on'))).toBeUndefined();
    expect(await read(Buffer.alloc(0))).toBeUndefined();
  });

  it('are read when the transfer syntax states the wrong encoding', async () => {
    const wrong = makeDicomSlice({ ...slice, encoding: 'implicit', transferSyntax: '1.2.840.10008.1.2.1' });
    expect((await factsOf(wrong)).planes[0]?.intercept).toBe(-1024);
    const other = makeDicomSlice({ ...slice, transferSyntax: '1.2.840.10008.1.2' });
    expect((await factsOf(other)).planes[0]?.intercept).toBe(-1024);
  });

  it('are read over elements of unknown VR, and behind meta information that is implicit against the rules', async () => {
    const odd = makeDicomSlice({ ...slice, elements: [{ tag: 0x00091001, vr: '??', value: Buffer.alloc(6) }] });
    expect((await factsOf(odd)).planes[0]?.slope).toBe(2.5);
    const meta = makeDicomFile({
      elements: [{ tag: 0x00020010, vr: 'UI', value: '1.2.840.10008.1.2' }],
      encoding: 'implicit',
      bare: true,
    });
    const body = makeDicomSlice({ ...slice, encoding: 'implicit', bare: true });
    const facts = await factsOf(Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), meta, body]));
    expect(facts).toMatchObject({ transferSyntax: '1.2.840.10008.1.2', modality: 'CT' });
  });

  it('come with values past the first piece that is read, and over large ones that nobody wants', async () => {
    const elements: MadeElement[] = [
      { tag: 0x00091001, vr: 'OB', value: Buffer.alloc(700_000) },
      { tag: 0x00091002, vr: 'SQ', value: [[{ tag: 0x00091003, vr: 'OB', value: Buffer.alloc(900_000) }]], delimited: true },
    ];
    expect((await factsOf(makeDicomSlice({ ...slice, elements }))).planes[0]?.slope).toBe(2.5);
  });

  it('say what is missing or no number as undefined', async () => {
    const bad = makeDicomSlice({
      ...slice,
      elements: [{ tag: 0x00200032, vr: 'DS', value: '1\\two\\3' }],
      without: [0x00280030],
    });
    expect((await factsOf(bad)).planes[0]).toMatchObject({ position: undefined, spacingMm: undefined });
    const long = makeDicomSlice({ ...slice, orientation: [10, 0, 0, 0, 1, 0] });
    expect((await factsOf(long)).planes[0]?.rowDirection).toBeUndefined();
  });
});

describe('objects without pixels, and damage', () => {
  it('a structure set has no pixels and no planes', async () => {
    const facts = await factsOf(makeDicomFile({ elements: [{ tag: 0x00080060, vr: 'CS', value: 'RTSTRUCT' }] }));
    expect(facts).toMatchObject({ modality: 'RTSTRUCT', pixels: undefined, planes: [] });
  });

  it.each<[string, Buffer]>([
    ['cut short', makeDicomSlice(slice).subarray(0, 300)],
    ['does not say the picture', makeDicomSlice({ ...slice, without: [0x00280010] })],
    ['does not say the picture', makeDicomSlice({ ...slice, elements: [{ tag: 0x00280010, vr: 'US', value: [0] }] })],
    ['more frames than', makeDicomSlice({ ...slice, elements: [{ tag: 0x00280008, vr: 'IS', value: '90000' }] })],
    ['deflated data set is damaged', makeDicomSlice({ ...slice, encoding: 'deflated' }).subarray(0, 400)],
  ])('is refused: %s', async (reason, bytes) => {
    expect(await reasonFor(bytes)).toMatch(`VOLUME_UNREADABLE: scan: `);
    expect(await reasonFor(bytes)).toMatch(reason);
  });

  it('sequences nested without end are refused', async () => {
    let element: MadeElement = { tag: 0x00081140, vr: 'SQ', value: [], delimited: true };
    for (let depth = 0; depth < 60; depth++) element = { ...element, value: [[element]] };
    expect(await reasonFor(makeDicomSlice({ ...slice, elements: [element] }))).toMatch('nested too deep');
  });
});

describe('whyPixelsUnsuitable', () => {
  it.each([
    ['1.2.840.10008.1.2.4.90', undefined],
    ['1.2.840.10008.1.2.4.100', 'its pixels are encoded in a way that is not read (transfer syntax 1.2.840.10008.1.2.4.100)'],
  ])('tells from the header alone: %s', async (transferSyntax, reason) => {
    const fragments = [Buffer.alloc(0), Buffer.alloc(2)];
    expect(whyPixelsUnsuitable(await factsOf(makeDicomSlice({ columns: 2, rows: 2, fragments, transferSyntax })))).toBe(reason);
  });
});

describe('privacy', () => {
  const named = (elements: MadeElement[]) => factsOf(makeDicomSlice({ ...slice, patient: '4711', elements }));

  it('names attributes that identify, never their values', async () => {
    const { privacy } = await named([
      { tag: 0x00100010, vr: 'PN', value: 'Rossi^Anna' },
      { tag: 0x00100030, vr: 'DA', value: '19560312' },
      { tag: 0x00080090, vr: 'PN', value: 'ANONYMOUS' },
      { tag: 0x00080080, vr: 'LO', value: '' },
      { tag: 0x00280301, vr: 'CS', value: 'YES' },
    ]);
    expect(privacy).toEqual({
      identifyingAttributes: ['PatientName', 'PatientID', 'PatientBirthDate'],
      burnedInAnnotation: true,
      recognisableFeatures: false,
      deidentified: false,
    });
    expect(JSON.stringify(privacy)).not.toMatch(/Rossi|1956/);
  });

  it('takes placeholders and codes for what they are', async () => {
    const code = await named([
      { tag: 0x00100010, vr: 'PN', value: '4711' },
      { tag: 0x00100030, vr: 'DA', value: '19000101' },
    ]);
    expect(code.privacy.identifyingAttributes).toEqual([]);
    const removed = await named([
      { tag: 0x00100010, vr: 'PN', value: 'Anonymized^^^' },
      { tag: 0x00120062, vr: 'CS', value: 'YES' },
    ]);
    expect(removed.privacy).toMatchObject({ identifyingAttributes: [], deidentified: true });
  });
});
