import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { PROJECT_ROOT } from '../../../test/fixtures/reference-shelf.js';
import {
  type EncodedTensor,
  decodeUpdate,
  encodeUpdate,
  readSafetensors,
  SCALE_SUFFIX,
  type UpdateFormat,
  type WeightSet,
  writeEncoded,
} from './index.js';

interface Golden {
  readonly name: string;
  readonly shape: number[];
  readonly bits: number[];
  readonly f16: number[];
  readonly bf16: number[];
  readonly int8: number[];
  readonly scaleBits: number[];
}

const path = join(PROJECT_ROOT, 'test/fixtures/update-goldens/goldens.json');
const goldens = JSON.parse(readFileSync(path, 'utf8')) as Golden[];
const weights: WeightSet = goldens.map(({ name, shape, bits }) => ({
  name,
  shape,
  values: new Float32Array(Uint32Array.from(bits).buffer),
}));

const words = ({ bytes }: EncodedTensor): number[] => [...new Uint16Array(bytes.slice().buffer)];
const encode = (format: UpdateFormat): readonly EncodedTensor[] => encodeUpdate(weights, format).tensors;

describe('the number formats of an update', () => {
  it.each(['f16', 'bf16'] as const)('%s has the bits of NumPy’s', (format) => {
    const tensors = encode(format);
    expect(tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual(
      goldens.map(({ name, shape }) => ({ name, shape, dtype: format.toUpperCase() })),
    );
    tensors.forEach((tensor, i) => expect([tensor.name, words(tensor)]).toEqual([tensor.name, goldens[i]?.[format]]));
  });

  it('int8 has the integers and the scales of NumPy’s, one scale per output channel', () => {
    const tensors = encode('int8');
    expect(tensors.map(({ name }) => name)).toEqual(goldens.flatMap(({ name }) => [name, name + SCALE_SUFFIX]));
    for (const [i, { name, shape, int8, scaleBits }] of goldens.entries()) {
      const [integers, scales] = [tensors[2 * i] as EncodedTensor, tensors[2 * i + 1] as EncodedTensor];
      expect([integers.dtype, integers.shape, scales.dtype, scales.shape]).toEqual(['I8', shape, 'F32', [scaleBits.length]]);
      expect([name, ...new Int8Array(integers.bytes.slice().buffer)]).toEqual([name, ...int8]);
      expect([name, ...new Uint32Array(scales.bytes.slice().buffer)]).toEqual([name, ...scaleBits]);
    }
  });

  it.each(['f32', 'f16', 'bf16', 'int8'] as const)(
    '%s: what the encoder says it wrote is what a reader of the file decodes',
    async (format) => {
      const { tensors, decoded } = encodeUpdate(weights, format);
      expect(decodeUpdate(tensors)).toEqual(decoded);
      const folder = await mkdtemp(join(tmpdir(), 'codec-'));
      const file = join(folder, 'update.safetensors');
      const { bytes } = await writeEncoded(file, tensors, { metadata: { kind: 'update' } });
      const { weights: stored, header } = await readSafetensors(file);
      await rm(folder, { recursive: true });
      expect(header.fileBytes).toBe(bytes);
      expect(header.tensors.map(({ name, dtype }) => [name, dtype])).toEqual(tensors.map(({ name, dtype }) => [name, dtype]));
      if (format !== 'int8') expect(stored).toEqual(decoded);
    },
  );

  it('errs by at most half a step', () => {
    const random = new Random('update-codec');
    const values = Float32Array.from({ length: 4000 }, () => random.between(-1, 1) * 2 ** random.integer(-12, 0));
    const error = (format: UpdateFormat): number[] => {
      const [decoded] = encodeUpdate([{ name: 'w', shape: [4, 1000], values }], format).decoded;
      return [...values].map((value, i) => Math.abs(value - (decoded?.values[i] ?? NaN)));
    };
    error('f16').forEach((e, i) => expect(e).toBeLessThanOrEqual(Math.max(2 ** -25, 2 ** -11 * Math.abs(values[i] as number))));
    error('bf16').forEach((e, i) => expect(e).toBeLessThanOrEqual(2 ** -8 * Math.abs(values[i] as number)));
    error('int8').forEach((e) => expect(e).toBeLessThanOrEqual((0.5 / 127) * 1.000_001));
    expect(error('f32').every((e) => e === 0)).toBe(true);
  });

  it.each<[UpdateFormat, number]>([
    ['f16', 65_520],
    ['f16', -1e9],
    ['bf16', 3.4e38],
    ['f32', Infinity],
    ['int8', NaN],
    ['int8', -Infinity],
  ])('%s refuses %d instead of cutting it down', (format, value) => {
    const update = [{ name: 'w', shape: [2], values: Float32Array.of(1, value) }];
    expect(() => encodeUpdate(update, format)).toThrow(expect.objectContaining({ code: 'UPDATE_NOT_FINITE' }) as Error);
  });

  it('takes the largest that each format holds', () => {
    const update = (value: number): WeightSet => [{ name: 'w', shape: [1], values: Float32Array.of(value) }];
    expect(encodeUpdate(update(65_519), 'f16').decoded[0]?.values[0]).toBe(65_504);
    expect(encodeUpdate(update(3.38e38), 'bf16').decoded[0]?.values[0]).toBeCloseTo(3.38e38, -36);
    expect(encodeUpdate(update(3.4e38), 'int8').decoded[0]?.values[0]).toBeCloseTo(3.4e38, -32);
  });
});
