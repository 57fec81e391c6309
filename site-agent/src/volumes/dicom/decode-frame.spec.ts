import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { codecModule } from './codec-modules.js';
import { decodeFrame } from './decode-frame.js';
import type { FrameForm, StoredValues } from './stored-plane.js';
import type { PixelCodec } from './transfer-syntax.js';

/** Pictures by several encoders and what other decoders make of them; see make-codestream-goldens.py beside the data. */
interface Golden {
  readonly name: string;
  readonly codec: Exclude<PixelCodec, 'none'>;
  readonly columns: number;
  readonly rows: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly signed: boolean;
  readonly bytes: string;
  readonly sha256: string;
  readonly range: readonly [number, number];
}

const goldens = JSON.parse(readFileSync(join(PROJECT_ROOT, 'test/fixtures/dicom-goldens/codestreams.json'), 'utf8')) as Golden[];

const formOf = ({ columns, rows, bitsAllocated, bitsStored, signed }: Golden): FrameForm => {
  return { columns, rows, samplesPerPixel: 1, bitsAllocated, bitsStored, highBit: bitsStored - 1, signed, floating: false };
};
const bytesOf = ({ bytes }: Golden): Buffer => Buffer.from(bytes, 'base64');

function golden(name: string): Golden {
  const found = goldens.find((each) => each.name === name);
  if (found === undefined) throw new Error(`no golden is called ${name}`);
  return found;
}

function digestOf(values: StoredValues): string {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return createHash('sha256').update(bytes).digest('hex').slice(0, 16);
}

async function reasonFor(bytes: Buffer, codec: Golden['codec'], form: FrameForm): Promise<string> {
  try {
    await decodeFrame(bytes, codec, form);
    return 'decoded';
  } catch (error) {
    return error instanceof FederationError ? `${error.code}: ${error.message}` : String(error);
  }
}

describe('pictures as other decoders see them', () => {
  it.each(goldens.map((each) => [each.name, each] as const))('%s', async (_name, each) => {
    const values = await decodeFrame(bytesOf(each), each.codec, formOf(each));
    expect([Math.min(...values), Math.max(...values)]).toEqual(each.range);
    expect(digestOf(values)).toBe(each.sha256);
  });

  it('with signs that the codestream does not know of get them from the header', async () => {
    const each = golden('HTJ2K, 12 bits');
    const unsigned = await decodeFrame(bytesOf(each), each.codec, formOf(each));
    const signed = await decodeFrame(bytesOf(each), each.codec, { ...formOf(each), signed: true });
    expect([...signed]).toEqual([...unsigned].map((value) => (value >= 2048 ? value - 4096 : value)));
  });
});

describe('pictures that are not what the header says', () => {
  const wrong: [string, Partial<FrameForm>][] = [
    ['rows', { rows: 33 }],
    ['columns', { columns: 20 }],
    ['components', { samplesPerPixel: 3 }],
    ['bits', { bitsAllocated: 8, bitsStored: 8 }],
  ];
  it.each(wrong)('are refused before they are decoded: %s', async (_name, difference) => {
    for (const name of ['JPEG-LS, 12 bits', 'HTJ2K, 12 bits', 'JPEG 2000 with loss, 12 bits']) {
      const each = golden(name);
      expect(await reasonFor(bytesOf(each), each.codec, { ...formOf(each), ...difference })).toMatch(
        'VOLUME_UNREADABLE: the pixel data is damaged: the compressed picture is not of the size',
      );
    }
  });

  it('are refused when they are of another process, or of 12 bits with loss', async () => {
    const each = golden('JPEG baseline');
    expect(await reasonFor(bytesOf(each), 'jpeg-lossless', formOf(each))).toMatch('no valid header');
    const twelve = bytesOf(each);
    twelve[twelve.indexOf(Buffer.from([0xff, 0xc0])) + 4] = 12;
    expect(await reasonFor(twelve, 'jpeg', { ...formOf(each), bitsAllocated: 16, bitsStored: 12 })).toMatch(
      'VOLUME_UNSUITABLE: it is compressed as JPEG with 12 bits',
    );
  });

  it.each(goldens.map((each) => [each.name, each] as const))(
    'that are cut short are refused and do no harm to the next: %s',
    async (_name, each) => {
      const half = bytesOf(each).subarray(0, Math.floor(bytesOf(each).length / 2));
      expect(await reasonFor(half, each.codec, formOf(each))).toMatch(/^VOLUME_UNREADABLE: the pixel data is/);
      expect(digestOf(await decodeFrame(bytesOf(each), each.codec, formOf(each)))).toBe(each.sha256);
    },
  );
});

it('a thousand pictures, damaged ones among them, leave no memory behind', async () => {
  const codecs = ['jpeg', 'jpeg-ls', 'jpeg-2000', 'ht-jpeg-2000'] as const;
  const before = await Promise.all(codecs.map(async (codec) => (await codecModule(codec)).memoryBytes()));
  for (let count = 0; count < 1000; count++) {
    const each = goldens[count % goldens.length] as Golden;
    const bytes = bytesOf(each);
    if (count % 3 === 0) bytes.subarray(120 + (count % 100), 140 + (count % 100)).fill(count);
    await reasonFor(bytes, each.codec, formOf(each));
  }
  const after = await Promise.all(codecs.map(async (codec) => (await codecModule(codec)).memoryBytes()));
  expect(after).toEqual(before);
});
