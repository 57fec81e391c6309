import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Random } from '@consilium/shared/kernel';
import { encodeTensors, type MadeTensor } from '../../../test/fixtures/encode-tensors.js';
import { measureUpdate } from './measure-update.js';
import type { MeasuredUpdate } from './update-facts.js';
import type { UpdateShape } from './update-tensors.js';

const CONVOLUTION = { name: 'conv.weight', shape: [3, 5, 7] };
const BIAS = { name: 'conv.bias', shape: [3] };
const SCALAR = { name: 'count', shape: [] };
const LARGE = { name: 'dense.weight', shape: [2, 150_001] };
const EXPECTED: UpdateShape = { deltas: [CONVOLUTION, BIAS, SCALAR, LARGE], controls: [] };

/** Multiples of 1/8 below 4: every 16-bit format holds them. */
function eighths(count: number, seed: string): number[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => random.integer(-31, 31) / 8);
}

const UPDATE: MadeTensor[] = [
  { ...CONVOLUTION, values: eighths(105, 'a') },
  { ...BIAS, values: eighths(3, 'b') },
  { ...SCALAR, values: [0.25] },
  { ...LARGE, values: eighths(300_002, 'c') },
];

function norm(tensors: readonly { values: Iterable<number> }[]): number {
  let squares = 0;
  for (const { values } of tensors) for (const value of values) squares += value ** 2;
  return Math.sqrt(squares);
}

describe('the pass over an update', () => {
  let folder: string;

  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'measure-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  async function measure(bytes: Uint8Array, expected = EXPECTED): Promise<MeasuredUpdate> {
    const path = join(folder, 'update.safetensors');
    writeFileSync(path, bytes);
    return measureUpdate({ path, expected });
  }

  it('measures the norm of all values', async () => {
    // Squares of eighths add up exactly, so the norm has no error at all.
    expect((await measure(encodeTensors(UPDATE))).norm).toBe(norm(UPDATE));
  });

  it('finds the same whatever the order in the file and the number formats', async () => {
    const plain = await measure(encodeTensors(UPDATE));
    expect(await measure(encodeTensors([...UPDATE].reverse()))).toEqual(plain);
    for (const dtype of ['F16', 'BF16'] as const) {
      expect(await measure(encodeTensors(UPDATE.map((tensor) => ({ ...tensor, dtype }))))).toEqual(plain);
    }
    const mixed = UPDATE.map((tensor, i) => ({ ...tensor, dtype: (['BF16', 'F32', 'F16', 'F32'] as const)[i] ?? 'F32' }));
    expect(await measure(encodeTensors(mixed))).toEqual(plain);
  });

  it('applies the scales of 8-bit integers channel by channel, also across ranges', async () => {
    const random = new Random('integers');
    const channels = { 'conv.weight': 3, 'conv.bias': 1, count: 1, 'dense.weight': 2 };
    const [encoded, decoded]: [MadeTensor[], MadeTensor[]] = [[], []];
    for (const tensor of UPDATE) {
      const size = tensor.values.length / channels[tensor.name as keyof typeof channels];
      const scales = Array.from({ length: tensor.values.length / size }, (_, i) => 2 ** -(i + 3));
      const integers = Array.from({ length: tensor.values.length }, () => random.integer(-127, 127));
      encoded.push({ ...tensor, dtype: 'I8', values: integers });
      encoded.push({ name: `${tensor.name}#scale`, shape: [scales.length], values: scales });
      decoded.push({ ...tensor, values: integers.map((value, i) => value * (scales[Math.floor(i / size)] as number)) });
    }
    expect(await measure(encodeTensors(encoded))).toEqual(await measure(encodeTensors(decoded)));
  });

  it.each(['F32', 'F16', 'BF16'] as const)(
    'refuses a single value of %s that is not finite, by the name of its tensor',
    async (dtype) => {
      for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
        const holed = UPDATE.map((tensor) =>
          tensor.name === LARGE.name ? { ...tensor, values: (tensor.values as number[]).with(300_001, bad) } : tensor,
        );
        await expect(measure(encodeTensors(holed.map((tensor) => ({ ...tensor, dtype }))))).rejects.toMatchObject({
          code: 'UPDATE_NOT_FINITE',
          details: { tensor: 'dense.weight' },
        });
      }
    },
  );

  it('refuses scales that are not finite, or make a value that is not', async () => {
    for (const scale of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
      const bias: MadeTensor[] = [
        { ...BIAS, dtype: 'I8', values: [1, 2, 127] },
        { name: 'conv.bias#scale', shape: [1], values: [scale] },
      ];
      const expected = { deltas: [BIAS], controls: [] };
      await expect(measure(encodeTensors(bias), expected)).rejects.toMatchObject({ code: 'UPDATE_NOT_FINITE' });
    }
  });

  it('takes an update without the tensors that it may lack, but not with some of them', async () => {
    const mayLack = [CONVOLUTION.name, BIAS.name];
    const expected = { ...EXPECTED, mayLack };
    const whole = await measure(encodeTensors(UPDATE), expected);
    expect(whole).toEqual(await measure(encodeTensors(UPDATE), EXPECTED));
    const rest = UPDATE.filter(({ name }) => !mayLack.includes(name));
    const zeros = UPDATE.map((tensor) =>
      mayLack.includes(tensor.name) ? { ...tensor, values: tensor.values.map(() => 0) } : tensor,
    );
    expect(await measure(encodeTensors(rest), expected)).toEqual(await measure(encodeTensors(zeros), EXPECTED));
    const half = UPDATE.filter(({ name }) => name !== BIAS.name);
    await expect(measure(encodeTensors(half), expected)).rejects.toMatchObject({ code: 'MANIFEST_MISMATCH' });
  });

  const without = (name: string): MadeTensor[] => UPDATE.filter((tensor) => tensor.name !== name);
  it.each<[string, MadeTensor[], string]>([
    ['a missing tensor', without('conv.bias'), 'lacks the tensor conv.bias'],
    ['another shape', [...without('conv.bias'), { name: 'conv.bias', shape: [1, 3], values: [0, 0, 0] }], 'shape [1, 3]'],
    ['an extra tensor', [...UPDATE, { name: 'patients', shape: [1], values: [1] }], 'the unexpected tensor patients'],
    ['scales of a tensor that has none', [...UPDATE, { name: 'conv.bias#scale', shape: [1], values: [1] }], 'unexpected tensor'],
    ['integers without scales', [...without('conv.bias'), { ...BIAS, dtype: 'I8', values: [1, 2, 3] }], 'lacks 1 scales'],
    [
      'scales for other channels',
      [
        ...without('conv.weight'),
        { ...CONVOLUTION, dtype: 'I8', values: new Float32Array(105) },
        { name: 'conv.weight#scale', shape: [1], values: [1] },
      ],
      'lacks 3 scales for conv.weight',
    ],
    [
      'control variates that nobody asked for',
      [...UPDATE, { ...BIAS, name: 'control/conv.bias', values: [1, 1, 1] }],
      'unexpected',
    ],
  ])('refuses %s', async (_what, tensors, words) => {
    await expect(measure(encodeTensors(tensors))).rejects.toMatchObject({ code: 'MANIFEST_MISMATCH' });
    await expect(measure(encodeTensors(tensors))).rejects.toThrow(words);
  });

  it('wants control variates where the campaign has them, checks them, and measures the deltas alone', async () => {
    const expected = { ...EXPECTED, controls: [{ ...BIAS, name: 'control/conv.bias' }] };
    const control = (values: number[]): MadeTensor => ({ ...BIAS, name: 'control/conv.bias', values });
    await expect(measure(encodeTensors(UPDATE), expected)).rejects.toThrow('lacks the tensor control/conv.bias');
    const plain = await measure(encodeTensors(UPDATE));
    expect(await measure(encodeTensors([control([1e6, 1, 1]), ...UPDATE]), expected)).toEqual(plain);
    await expect(measure(encodeTensors([...UPDATE, control([1, Number.NaN, 1])]), expected)).rejects.toMatchObject({
      code: 'UPDATE_NOT_FINITE',
      details: { tensor: 'control/conv.bias' },
    });
  });

  it('refuses files that are no weight files, and headers that would fill the memory, unread', async () => {
    const good = encodeTensors(UPDATE);
    const hugeHeader = Buffer.from(`{"__metadata__":{"a":"${'x'.repeat(200_000)}"}}`);
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(hugeHeader.length));
    for (const bytes of [good.subarray(0, -4), good.subarray(0, 5), Buffer.alloc(0), Buffer.concat([prefix, hugeHeader])]) {
      await expect(measure(bytes)).rejects.toMatchObject({ code: 'WEIGHTS_MALFORMED' });
    }
  });
});
