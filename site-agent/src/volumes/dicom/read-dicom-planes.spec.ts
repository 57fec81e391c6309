import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { makeDicomSlice, type MadeEncoding, type MadePixels, type MadeSlice } from '../../../../test/fixtures/make-dicom.js';
import { describeWithShelf, PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { readDicomFacts } from './read-dicom-facts.js';
import { readDicomPlanes, type StoredPlane } from './read-dicom-planes.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'dicom-planes-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function readAll(path: string): Promise<StoredPlane[]> {
  const facts = await readDicomFacts(path);
  return facts === undefined ? [] : readDicomPlanes(facts, facts.planes);
}

function read(bytes: Uint8Array): Promise<StoredPlane[]> {
  const path = join(folder, 'scan');
  writeFileSync(path, bytes);
  return readAll(path);
}

async function valuesOf(slice: MadeSlice): Promise<number[]> {
  return [...((await read(makeDicomSlice(slice)))[0]?.values ?? [])];
}

async function reasonFor(bytes: Uint8Array): Promise<string> {
  try {
    await read(bytes);
    return 'read';
  } catch (error) {
    return error instanceof FederationError ? `${error.code}: ${error.message}` : String(error);
  }
}

describe('stored numbers', () => {
  const arrays: [string, MadePixels][] = [
    ['int8', Int8Array.of(-128, -1, 0, 1, 2, 127)],
    ['uint8', Uint8Array.of(0, 1, 2, 127, 128, 255)],
    ['int16', Int16Array.of(-32768, -1024, 0, 1, 2, 32767)],
    ['uint16', Uint16Array.of(0, 1, 4095, 4096, 32768, 65535)],
    ['int32', Int32Array.of(-(2 ** 31), -70_000, 0, 1, 70_000, 2 ** 31 - 1)],
    ['uint32', Uint32Array.of(0, 1, 2, 70_000, 2 ** 31, 2 ** 32 - 1)],
    ['float32', Float32Array.of(-1.5, 0, 0.25, 1, 1e20, -3)],
    ['float64', Float64Array.of(-1.5, 0, 1e-200, 1, 1e200, Math.PI)],
  ];

  it.each(arrays)('%s are read from every encoding', async (_name, pixels) => {
    for (const encoding of ['explicit', 'implicit', 'big-endian', 'deflated'] satisfies MadeEncoding[]) {
      const [plane] = await read(makeDicomSlice({ columns: 3, rows: 2, pixels, encoding }));
      expect(plane).toMatchObject({ columns: 3, rows: 2 });
      expect(plane?.values.constructor).toBe(pixels.constructor);
      expect([...(plane?.values ?? [])]).toEqual([...pixels]);
    }
  });

  it('of 8 bits in words of 16 are put in order', async () => {
    const element = { tag: 0x7fe00010, vr: 'OW', value: Uint8Array.of(2, 1, 4, 3, 6, 5, 0, 7) };
    const shape = { columns: 1, rows: 1, bitsAllocated: 8, encoding: 'big-endian' } as const;
    const frames = { tag: 0x00280008, vr: 'IS', value: '7' };
    const planes = await read(makeDicomSlice({ ...shape, elements: [element, frames] }));
    expect(planes.map(({ values }) => values[0])).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  it('keep only the bits that are stored, with their sign', async () => {
    const pixels = Uint16Array.of(0xf001, 0x0fff, 0x0800, 0x17ff);
    expect(await valuesOf({ columns: 2, rows: 2, pixels, bitsStored: 12 })).toEqual([1, 4095, 2048, 2047]);
    expect(await valuesOf({ columns: 2, rows: 2, pixels, bitsStored: 12, signed: true })).toEqual([1, -1, -2048, 2047]);
    const high = { tag: 0x00280102, vr: 'US', value: [15] };
    expect(await valuesOf({ columns: 2, rows: 2, pixels, bitsStored: 12, elements: [high] })).toEqual([0xf00, 0xff, 0x80, 0x17f]);
  });

  it('of several frames and of an odd number of bytes are told apart', async () => {
    const pixels = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9);
    const frames = { tag: 0x00280008, vr: 'IS', value: '3' };
    const planes = await read(makeDicomSlice({ columns: 3, rows: 1, pixels, elements: [frames] }));
    expect(planes.map(({ values }) => [...values])).toEqual([
      [1, 2, 3],
      [4, 5, 6],
      [7, 8, 9],
    ]);
  });
});

describe('RLE', () => {
  /** Two rows of three 16-bit values: high bytes 1 1 1 2 2 2, low bytes 0 … 5. */
  const head = Buffer.alloc(64);
  head.writeUInt32LE(2, 0);
  head.writeUInt32LE(64, 4);
  head.writeUInt32LE(68, 8);
  const frame = Buffer.concat([head, Buffer.from([0xfe, 1, 0xfe, 2, 5, 0, 1, 2, 3, 4, 5])]);
  const rle = { columns: 3, rows: 2, transferSyntax: '1.2.840.10008.1.2.5' };
  const expected = [256, 257, 258, 515, 516, 517];

  it('is read from one fragment, from several, and from several frames with and without an offset table', async () => {
    expect(await valuesOf({ ...rle, fragments: [Buffer.alloc(0), frame] })).toEqual(expected);
    expect(await valuesOf({ ...rle, fragments: [Buffer.alloc(0), frame.subarray(0, 66), frame.subarray(66)] })).toEqual(expected);
    const elements = [{ tag: 0x00280008, vr: 'IS', value: '2' }];
    const table = Buffer.alloc(8);
    table.writeUInt32LE(66 + 8 + 10 + 8, 4);
    for (const fragments of [
      [Buffer.alloc(0), frame, frame],
      [table, frame.subarray(0, 66), frame.subarray(66), frame],
    ]) {
      const planes = await read(makeDicomSlice({ ...rle, fragments, elements }));
      expect(planes.map(({ values }) => [...values])).toEqual([expected, expected]);
    }
  });

  it('is read by the extended offset table, before a basic one', async () => {
    const extended = Buffer.alloc(16);
    extended.writeBigUInt64LE(BigInt(66 + 8 + 10 + 8), 8);
    const elements = [
      { tag: 0x00280008, vr: 'IS', value: '2' },
      { tag: 0x7fe00001, vr: 'OV', value: extended },
    ];
    const fragments = [Buffer.alloc(8), frame.subarray(0, 66), frame.subarray(66), frame];
    const planes = await read(makeDicomSlice({ ...rle, fragments, elements }));
    expect(planes.map(({ values }) => [...values])).toEqual([expected, expected]);
  });

  it('with segments that lie is refused', async () => {
    for (const [at, value] of [
      [0, 3],
      [4, 70_000],
      [8, 60],
      [8, 66],
    ] as const) {
      const wrong = Buffer.from(frame);
      wrong.writeUInt32LE(value, at);
      expect(await reasonFor(makeDicomSlice({ ...rle, fragments: [Buffer.alloc(0), wrong] }))).toMatch(
        'VOLUME_UNREADABLE: scan: the pixel data is',
      );
    }
  });
});

describe('what is refused, and why', () => {
  const pixels = new Uint8Array(12);
  const shape = { columns: 2, rows: 2 };
  const text = (tag: number, value: string) => ({ tag, vr: 'CS', value });
  const number = (tag: number, value: number) => ({ tag, vr: 'US', value: [value] });

  it.each<[string, MadeSlice]>([
    [
      'UNSUITABLE: scan: its pixels are colours (RGB)',
      { ...shape, pixels, elements: [number(0x00280002, 3), text(0x00280004, 'RGB')] },
    ],
    [
      'UNSUITABLE: scan: its pixels are colours (PALETTE COLOR)',
      { ...shape, pixels, elements: [text(0x00280004, 'PALETTE COLOR')] },
    ],
    [
      'UNSUITABLE: scan: its pixels have one bit each',
      { ...shape, pixels, elements: [number(0x00280100, 1), number(0x00280101, 1)] },
    ],
    ['UNSUITABLE: scan: its pixels have 12 bits each', { ...shape, pixels, elements: [number(0x00280100, 12)] }],
    [
      'UNSUITABLE: scan: its pixels are encoded in a way',
      { ...shape, fragments: [pixels, pixels], transferSyntax: '1.2.840.10008.1.2.4.100' },
    ],
    ['UNREADABLE: scan: the pixel data is damaged: fragments where', { ...shape, fragments: [Buffer.alloc(0), pixels] }],
    ['UNREADABLE: scan: the pixel data is damaged: fragments where', { ...shape, pixels, transferSyntax: '1.2.840.10008.1.2.5' }],
    ['UNREADABLE: scan: the pixel data is cut short', { columns: 20, rows: 20, pixels }],
    [
      'UNREADABLE: scan: the pixel data is damaged',
      { ...shape, fragments: [Buffer.alloc(0), pixels], transferSyntax: '1.2.840.10008.1.2.4.90' },
    ],
    [
      'UNREADABLE: scan: the pixel data is cut short',
      { ...shape, fragments: [Buffer.alloc(0)], transferSyntax: '1.2.840.10008.1.2.4.90' },
    ],
  ])('VOLUME_%s', async (reason, slice) => {
    expect(await reasonFor(makeDicomSlice(slice))).toMatch(reason);
  });

  it('a file that has changed since its header was read', async () => {
    const path = join(folder, 'changing');
    writeFileSync(path, makeDicomSlice({ columns: 2, rows: 2, pixels: new Int16Array(4) }));
    const facts = await readDicomFacts(path);
    writeFileSync(path, makeDicomSlice({ columns: 4, rows: 1, pixels: new Int16Array(4) }));
    if (facts === undefined) throw new Error('not DICOM');
    await expect(readDicomPlanes(facts, facts.planes)).rejects.toThrow('the file has changed since its header was read');
  });
});

interface Golden {
  readonly file: string;
  readonly modality: string;
  readonly shape?: readonly [frames: number, rows: number, columns: number];
  readonly dtype?: string;
  readonly sha256?: string;
  readonly position?: readonly number[] | readonly (readonly number[])[] | null;
  readonly rescale?: readonly [number, number];
  readonly spacing?: readonly number[] | null;
  readonly instance?: number;
}

/** What pydicom makes of the files; see make-goldens.py beside the data. */
const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/dicom-goldens/goldens.json'), 'utf8')) as Golden[];

describeWithShelf('DICOM files as pydicom sees them', (shelf) => {
  const folderOf = ({ file }: Golden): string => file.split('/')[0] ?? '';
  it.each([...new Set(goldens.map(folderOf))])('%s', async (name) => {
    for (const golden of goldens.filter((each) => folderOf(each) === name)) {
      const path = join(shelf, 'data/dicom', golden.file);
      const facts = await readDicomFacts(path);
      if (facts === undefined) throw new Error(`${golden.file}: not DICOM`);
      expect(facts.modality).toBe(golden.modality);
      if (golden.shape === undefined) {
        expect(facts.pixels).toBeUndefined();
        continue;
      }
      const [plane] = facts.planes;
      const { pixels } = facts;
      expect([pixels?.frames, pixels?.rows, pixels?.columns]).toEqual(golden.shape);
      expect(facts.instanceNumber ?? 0).toBe(golden.instance);
      expect(plane?.spacingMm ?? null).toEqual(golden.spacing);
      if (golden.rescale !== undefined) expect([plane?.slope, plane?.intercept]).toEqual(golden.rescale);
      expect(facts.planes.length === 1 ? (plane?.position ?? null) : facts.planes.map(({ position }) => position)).toEqual(
        golden.position,
      );
      expect(digestOf(await readDicomPlanes(facts, facts.planes))).toBe(golden.sha256);
    }
  });
});

function digestOf(planes: readonly StoredPlane[]): string {
  const hash = createHash('sha256');
  for (const { values } of planes) hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return hash.digest('hex').slice(0, 16);
}
