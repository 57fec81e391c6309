import { gzipSync } from 'node:zlib';
import { FederationError, type Random } from '@consilium/shared/kernel';
import { isCompressed, memorySource } from '../../site-agent/src/volumes/nifti/byte-source.js';
import { MemoryAllowance } from '../../site-agent/src/volumes/nifti/memory-allowance.js';
import { BEST_GZIP_RATIO } from '../../site-agent/src/volumes/nifti/nifti-content.js';
import { readParts } from '../../site-agent/src/volumes/nifti/nifti-parts.js';
import { readVolume } from '../../site-agent/src/volumes/nifti/nifti-volume.js';
import { faultOf } from '../../site-agent/src/volumes/volume-fault.js';
import { fuzzInputs } from '../fixtures/fuzz-inputs.js';
import { makeNifti, type MadeType, type MadeVolume } from '../fixtures/make-volume.js';
import { mutateBytes, pick, TRICKY_FLOATS, TRICKY_INTEGERS } from '../fixtures/mutate-bytes.js';

const TYPES: readonly MadeType[] = [
  ...(['uint8', 'int8', 'int16', 'uint16', 'int32', 'uint32'] as const),
  ...(['float32', 'float64', 'int64', 'uint64'] as const),
];
const SIZES = [[4, 4, 4], [5, 3, 2], [3, 4, 5, 3], [2, 3, 2, 2, 2], [6, 5], [7]] as const;

/** Where a header keeps what leads a reader: [offset in NIfTI-1, its type, offset in NIfTI-2, its type]. */
type Kind = 'i8' | 'i16' | 'i32' | 'i64' | 'f32' | 'f64';
const FIELDS: readonly (readonly [number, Kind, number, Kind])[] = [
  [0, 'i32', 0, 'i32'], // size of the header
  ...each(8, (n) => [40 + 2 * n, 'i16', 16 + 8 * n, 'i64'] as const), // dim
  ...each(8, (n) => [40 + 2 * n, 'i16', 16 + 8 * n, 'i64'] as const), // twice as often
  [70, 'i16', 12, 'i16'], // datatype
  [72, 'i16', 14, 'i16'], // bitpix
  ...each(8, (n) => [76 + 4 * n, 'f32', 104 + 8 * n, 'f64'] as const), // pixdim
  [108, 'f32', 168, 'i64'], // vox_offset
  [108, 'f32', 168, 'i64'],
  [112, 'f32', 176, 'f64'], // scl_slope
  [116, 'f32', 184, 'f64'], // scl_inter
  [123, 'i8', 500, 'i32'], // units
  [252, 'i16', 344, 'i32'], // qform_code
  [254, 'i16', 348, 'i32'], // sform_code
  ...each(6, (n) => [256 + 4 * n, 'f32', 352 + 8 * n, 'f64'] as const), // quaternion and offsets
  ...each(12, (n) => [280 + 4 * n, 'f32', 400 + 8 * n, 'f64'] as const), // srow
  [344, 'i8', 4, 'i8'], // magic
  [345, 'i8', 5, 'i8'],
];

describe('mutated NIfTI files', () => {
  it('are read or refused: no crash, no hang, no memory beyond what the file could hold', async () => {
    const { read, refused } = await fuzzInputs({
      spec: 'test/contracts/fuzz-nifti.spec.ts',
      count: 12_500,
      longestMs: 5000,
      make: (random) => makeInput(random),
      read: readInput,
    });
    if (process.env['CONSILIUM_FUZZ_INPUT'] !== undefined) return;
    // Mutations that reach only a few refusals, or never a voxel, would prove little.
    expect(read).toBeGreaterThan(1000);
    expect(refused.size).toBeGreaterThan(15);
  }, 600_000); // each input has a limit of its own
});

function makeInput(random: Random): Uint8Array {
  const version = random.integer(1, 2) as 1 | 2;
  const littleEndian = random.integer(0, 3) > 0;
  let bytes: Uint8Array = makeNifti(drawVolume(random, version, littleEndian));
  for (let hits = random.integer(0, 3); hits > 0; hits--) bytes = changeField(random, bytes, version, littleEndian);
  if (random.integer(0, 2) === 0) bytes = mutateBytes(random, bytes);
  if (random.integer(0, 2) > 0) return bytes;
  let packed: Uint8Array = gzipSync(bytes, { level: pick(random, [0, 1, 9]) });
  if (random.integer(0, 5) === 0) packed = Buffer.concat([packed, packed]);
  return random.integer(0, 1) === 0 ? mutateBytes(random, packed) : packed;
}

function drawVolume(random: Random, version: 1 | 2, littleEndian: boolean): MadeVolume {
  const placed = random.integer(0, 2);
  return {
    version,
    littleEndian,
    type: pick(random, TYPES),
    sizes: pick(random, SIZES),
    ...(placed === 1 && { sform: ASR }),
    ...(placed === 2 && { qform: { quaternion: [0.1, 0.2, 0.3], offset: [1, 2, 3], qfac: -1 } }),
    ...(random.integer(0, 4) === 0 && { slope: 2.5, intercept: -7 }),
  };
}

const ASR: NonNullable<MadeVolume['sform']> = [
  [0, 0, 2, 5],
  [-3, 0, 0, 60],
  [0, 4, 0, -7],
];

function changeField(random: Random, bytes: Uint8Array, version: 1 | 2, littleEndian: boolean): Uint8Array {
  const changed = Uint8Array.from(bytes);
  const view = new DataView(changed.buffer);
  const [at1, kind1, at2, kind2] = pick(random, FIELDS);
  const [at, kind] = version === 1 ? [at1, kind1] : [at2, kind2];
  const whole = random.integer(0, 2) === 0 ? BigInt(random.integer(-8, 600)) : pick(random, TRICKY_INTEGERS);
  if (kind === 'i8') view.setInt8(at, Number(BigInt.asIntN(8, whole)));
  if (kind === 'i16') view.setInt16(at, Number(BigInt.asIntN(16, whole)), littleEndian);
  if (kind === 'i32') view.setInt32(at, Number(BigInt.asIntN(32, whole)), littleEndian);
  if (kind === 'i64') view.setBigInt64(at, whole, littleEndian);
  if (kind === 'f32') view.setFloat32(at, pick(random, TRICKY_FLOATS), littleEndian);
  if (kind === 'f64') view.setFloat64(at, pick(random, TRICKY_FLOATS), littleEndian);
  return changed;
}

/** Also as a pair: a header that says so finds its own bytes as the image. */
async function readInput(input: Uint8Array): Promise<void> {
  try {
    const open = await readParts({ header: memorySource(input), openImage: () => Promise.resolve(memorySource(input)) });
    const holds = input.length * (isCompressed(open.image) ? BEST_GZIP_RATIO : 1);
    for (let frame = 0; frame < Math.min(open.header.frames, 3); frame++) {
      const allowance = new MemoryAllowance(10 * holds + 4096); // float voxels and decoding space, from 1 byte each
      const volume = await readVolume(open, frame, { allowance });
      expect(volume.voxels.length).toBe(volume.sizeVoxels[0] * volume.sizeVoxels[1] * volume.sizeVoxels[2]);
      expect(volume.voxels.every(Number.isFinite)).toBe(true);
      expect(volume.affine.every(Number.isFinite)).toBe(true);
      expect(allowance.takenBytes).toBeGreaterThanOrEqual(4 * volume.voxels.length);
    }
  } catch (error) {
    throw isFault(error) ? faultOf(error, 'input.nii') : error;
  }
}

/** What the reader answers with. To be stopped by the allowance would be a volume error as well: here it is what is looked for. */
function isFault(error: unknown): boolean {
  if (error instanceof FederationError) return !/more than is allowed|are not there/.test(error.message);
  return typeof error === 'object' && error !== null && 'code' in error && /^Z_/.test(String(error.code));
}

function each<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
