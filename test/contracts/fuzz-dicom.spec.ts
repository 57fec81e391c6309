import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Random } from '@consilium/shared/kernel';
import { codecModule } from '../../site-agent/src/volumes/dicom/codec-modules.js';
import { readDicomFacts } from '../../site-agent/src/volumes/dicom/read-dicom-facts.js';
import { readDicomPlanes } from '../../site-agent/src/volumes/dicom/read-dicom-planes.js';
import { fuzzInputs } from '../fixtures/fuzz-inputs.js';
import { makeEnhancedFile, makeMosaicFile } from '../fixtures/make-dicom-frames.js';
import { makeDicomSlice, type MadeElement, type MadeEncoding, type MadeSlice } from '../fixtures/make-dicom.js';
import { mutateBytes, pick, TRICKY_INTEGERS } from '../fixtures/mutate-bytes.js';
import { PROJECT_ROOT } from '../fixtures/reference-shelf.js';

interface Codestream {
  readonly transferSyntax: string;
  readonly columns: number;
  readonly rows: number;
  readonly bitsAllocated: number;
  readonly bitsStored: number;
  readonly signed: boolean;
  readonly bytes: string;
}

const codestreams = JSON.parse(
  readFileSync(join(PROJECT_ROOT, 'test/fixtures/dicom-goldens/codestreams.json'), 'utf8'),
) as Codestream[];
const ENCODINGS: readonly MadeEncoding[] = ['explicit', 'implicit', 'big-endian', 'deflated'];
const PIXELS = [
  new Uint8Array(12),
  Int16Array.from({ length: 12 }, (_, i) => i * 99),
  new Uint16Array(12),
  new Int32Array(12),
  new Float32Array(12),
];
/** Numbers of group 0028 and of frames that lead the reading of pixels. */
const LEADING = [0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120];
const PLANES_READ = 40;
const MOST_BYTES = 700 * 1024 * 1024;

describe('mutated DICOM files', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'fuzz-dicom-'));
  });
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  it('are read or refused: no crash, no hang, no memory beyond bounds', async () => {
    const path = join(folder, 'scan');
    const { read, refused } = await fuzzInputs({
      spec: 'test/contracts/fuzz-dicom.spec.ts',
      count: 8500,
      longestMs: 5000,
      make: makeInput,
      read: async (input) => {
        writeFileSync(path, input);
        const facts = await readDicomFacts(path);
        if (facts?.pixels === undefined) return;
        await readDicomPlanes(facts, facts.planes.slice(0, PLANES_READ));
      },
    });
    for (const codec of ['jpeg', 'jpeg-ls', 'jpeg-2000', 'ht-jpeg-2000'] as const) {
      expect((await codecModule(codec)).memoryBytes()).toBeLessThan(MOST_BYTES);
    }
    expect(process.memoryUsage().arrayBuffers).toBeLessThan(MOST_BYTES);
    if (process.env['CONSILIUM_FUZZ_INPUT'] !== undefined) return;
    // Mutations that reach only a few refusals, or never a pixel, would prove little.
    expect(read).toBeGreaterThan(1000);
    expect(refused.size).toBeGreaterThan(15);
  }, 600_000); // each input has a limit of its own
});

function makeInput(random: Random): Uint8Array {
  const made = makeFile(random);
  return random.integer(0, 5) === 0 ? made : mutateBytes(random, random.integer(0, 1) === 0 ? changeLength(random, made) : made);
}

function makeFile(random: Random): Buffer {
  switch (random.integer(0, 4)) {
    case 0:
      return makeMosaicFile({ tiles: random.integer(1, 9), tileColumns: 3, tileRows: 2 });
    case 1:
      return makeEnhancedFile({ frames: random.integer(1, 6), columns: 4, rows: 3, encoding: pick(random, ENCODINGS) });
    case 2:
      return makeDicomSlice({ ...drawPlain(random), elements: drawElements(random) });
    default:
      return makeDicomSlice({ ...drawEncoded(random), elements: random.integer(0, 3) === 0 ? drawElements(random) : [] });
  }
}

function drawPlain(random: Random): MadeSlice {
  return {
    columns: 4,
    rows: 3,
    pixels: pick(random, PIXELS),
    encoding: pick(random, ENCODINGS),
    bare: random.integer(0, 4) === 0,
  };
}

/** Damaged in the picture more often than around it. */
function drawEncoded(random: Random): MadeSlice {
  const { bytes, ...form } = pick(random, codestreams);
  const whole = Buffer.from(bytes, 'base64');
  const picture = random.integer(0, 2) > 0 ? Buffer.from(mutateBytes(random, whole)) : whole;
  const cut = random.integer(0, picture.length);
  const fragments =
    random.integer(0, 1) === 0 ? [picture] : [picture.subarray(0, cut - (cut % 2)), picture.subarray(cut - (cut % 2))];
  return { ...form, fragments: [Buffer.alloc(0), ...fragments] };
}

function drawElements(random: Random): MadeElement[] {
  const number = (): number => Number(BigInt.asUintN(16, pick(random, TRICKY_INTEGERS)));
  const changed = Array.from({ length: random.integer(0, 2) }, () => pick(random, LEADING));
  const frames = random.integer(0, 3) === 0 ? [{ tag: 0x00280008, vr: 'IS', value: String(number()) }] : [];
  return [...new Set(changed)].map((tag): MadeElement => ({ tag, vr: 'US', value: [number()] })).concat(frames);
}

/** Puts a tricky number where some element's length may stand. */
function changeLength(random: Random, bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes);
  if (changed.length < 140) return changed;
  const at = random.integer(132, changed.length - 4);
  changed.writeUInt32LE(Number(BigInt.asUintN(32, pick(random, TRICKY_INTEGERS))), at);
  return changed;
}
