import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FederationError } from '@consilium/shared/kernel';
import { archiveOf, legacyOf, P, storageId, tensorOf } from '../../../../test/fixtures/made-pickle.js';
import { PROJECT_ROOT } from '../../../../test/fixtures/reference-shelf.js';
import { looksLikePytorch, PytorchFile } from './pytorch-file.js';
import { savedState } from './saved-state.js';
import { writePytorchCheckpoint } from './write-checkpoint.js';

const GOLDENS = join(PROJECT_ROOT, 'test/fixtures/pytorch-checkpoints');

let folder = '';
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'consilium-pytorch-'))));
afterAll(() => rm(folder, { recursive: true, force: true }));

function fileOf(bytes: Uint8Array): string {
  const path = join(folder, 'checkpoint.pt');
  writeFileSync(path, bytes);
  return path;
}

/** Reads everything, as an import would. */
async function readAll(path: string): Promise<Map<string, number[]>> {
  const file = await PytorchFile.open(path);
  try {
    const { tensors } = savedState(file.value);
    const values = new Map<string, number[]>();
    for (const [name, tensor] of tensors) values.set(name, [...(await file.read(tensor))]);
    return values;
  } finally {
    await file.close();
  }
}

async function refusalOf(bytes: Uint8Array): Promise<FederationError> {
  const thrown: unknown = await readAll(fileOf(bytes)).catch((error: unknown) => error);
  if (thrown instanceof FederationError) return thrown;
  throw new Error(`nothing was refused: ${String(thrown)}`);
}

const pickled = (...parts: Buffer[]): Buffer => Buffer.concat([P.protocol, ...parts, P.stop]);
/** {"w": value} */
const dictOf = (value: Buffer): Buffer => pickled(P.emptyDict, P.text('w'), value, P.setItem);
const floats = (...values: number[]): Buffer => Buffer.from(Float32Array.from(values).buffer);
const four = storageId('0', P.int(4));

/** Both containers with the same pickle and one storage of four numbers, key "0". */
const CONTAINERS: Readonly<Record<string, (pickle: Buffer) => Buffer>> = {
  zip: (pickle) => archiveOf(pickle, { 0: floats(1, 2, 3, 4) }),
  legacy: (pickle) => {
    const size = Buffer.alloc(8);
    size.writeBigInt64LE(4n);
    return legacyOf(pickle, ['0'], Buffer.concat([size, floats(1, 2, 3, 4)]));
  },
};

describe.each(Object.entries(CONTAINERS))('a made checkpoint, %s', (form, contain) => {
  it('is read by its strides', async () => {
    const pickle = pickled(
      ...[P.emptyDict, P.mark],
      ...[P.text('rows'), tensorOf(four, [P.int(2), P.int(2)], [P.int(2), P.int(1)])],
      ...[P.text('columns'), tensorOf(four, [P.int(2), P.int(2)], [P.int(1), P.int(2)])],
      ...[P.text('second'), tensorOf(four, [P.int(2)], [P.int(2)], P.int(1))],
      ...[P.text('empty'), tensorOf(four, [P.int(0), P.int(3)], [P.int(3), P.int(1)])],
      P.setItems,
    );
    const path = fileOf(contain(pickle));
    expect(await looksLikePytorch(path)).toBe(true);
    expect(Object.fromEntries(await readAll(path))).toEqual({
      rows: [1, 2, 3, 4],
      columns: [1, 3, 2, 4],
      second: [2, 4],
      empty: [],
    });
  });

  const refused: [string, Buffer, string, RegExp][] = [
    ['os.system', pickled(P.global('posix', 'system'), P.text('true'), P.tuple1, P.reduce), 'PICKLE_REFUSED', /posix\.system/],
    ['builtins.eval', pickled(P.global('builtins', 'eval'), P.text('1'), P.tuple1, P.reduce), 'PICKLE_REFUSED', /builtins\.eval/],
    [
      'a name made on the stack',
      pickled(P.text('os'), P.text('popen'), P.stackGlobal, P.text('x'), P.tuple1, P.reduce),
      'PICKLE_REFUSED',
      /os\.popen/,
    ],
    [
      'a call within the arguments of a known one',
      pickled(
        P.global('collections', 'OrderedDict'),
        P.global('os', 'system'),
        P.text('x'),
        P.tuple1,
        P.reduce,
        P.tuple1,
        P.reduce,
      ),
      'PICKLE_REFUSED',
      /os\.system/,
    ],
    ['an instance by the old operation', pickled(P.mark, P.text('x'), Buffer.from('ios\nsystem\n')), 'PICKLE_REFUSED', /0x69/],
    [
      'a call of a name that is only named',
      pickled(P.global('torch', 'FloatStorage'), P.emptyTuple, P.reduce),
      'PICKLE_REFUSED',
      /call of torch\.FloatStorage/,
    ],
    ['a call of a text', pickled(P.text('print'), P.emptyTuple, P.reduce), 'PICKLE_REFUSED', /no known name/],
    ['attributes of a list', pickled(P.emptyList, P.emptyDict, P.build), 'PICKLE_REFUSED', /attributes/],
    [
      'a pickled module',
      pickled(P.global('torch.nn.modules.conv', 'Conv3d'), P.emptyTuple, P.reduce),
      'PICKLE_REFUSED',
      /Conv3d/,
    ],
    [
      'a stored thing that is no storage',
      pickled(P.mark, P.text('module'), P.none, P.tuple, P.persistentId),
      'PICKLE_REFUSED',
      /no storage/,
    ],
    ['more text than there is', pickled(Buffer.from([0x58, 0xff, 0xff, 0xff, 0xff])), 'WEIGHTS_MALFORMED', /ends within/],
    ['an endless integer', pickled(Buffer.from([0x8b, 0xff, 0xff, 0xff, 0x7f])), 'WEIGHTS_MALFORMED', /integer/],
    ['something never kept', pickled(P.get(7)), 'WEIGHTS_MALFORMED', /recalls/],
    ['an empty stack', pickled(P.append), 'WEIGHTS_MALFORMED', /takes more/],
    ['a mark that is not there', pickled(P.tuple), 'WEIGHTS_MALFORMED', /mark/],
    ['a dict of dicts', pickled(P.emptyDict, P.emptyDict, P.none, P.setItem), 'WEIGHTS_MALFORMED', /key/],
    ['more operations than any checkpoint', pickled(Buffer.alloc(2_000_001, 'N')), 'WEIGHTS_MALFORMED', /longer/],
    [
      'one long list made into dicts over and over',
      pickled(
        ...[P.emptyList, P.mark, ...Array.from({ length: 5000 }, () => Buffer.from('(NNt')), P.appends, P.put(0)],
        ...Array.from({ length: 1000 }, () =>
          Buffer.concat([P.global('collections', 'OrderedDict'), P.get(0), P.tuple1, P.reduce]),
        ),
      ),
      'WEIGHTS_MALFORMED',
      /longer/,
    ],
    [
      'a tensor larger than its storage',
      dictOf(tensorOf(four, [P.int(5)], [P.int(1)])),
      'WEIGHTS_MALFORMED',
      /larger than its storage/,
    ],
    [
      'a tensor that repeats one number',
      dictOf(tensorOf(four, [P.int(1_000_000_000)], [P.int(0)])),
      'WEIGHTS_MALFORMED',
      /larger/,
    ],
    [
      'sides whose product is beyond all numbers',
      dictOf(
        tensorOf(
          four,
          Array.from({ length: 60 }, () => P.long(2n ** 40n)),
          Array.from({ length: 60 }, () => P.int(0)),
        ),
      ),
      'WEIGHTS_MALFORMED',
      /larger/,
    ],
    ['a negative side', dictOf(tensorOf(four, [P.int(-1)], [P.int(1)])), 'WEIGHTS_MALFORMED', /count/],
    ['a negative stride', dictOf(tensorOf(four, [P.int(2)], [P.int(-1)], P.int(1))), 'WEIGHTS_MALFORMED', /count/],
    ['an offset beyond the end', dictOf(tensorOf(four, [P.int(1)], [P.int(1)], P.int(4))), 'WEIGHTS_MALFORMED', /larger/],
    [
      'a storage of more numbers than there are',
      dictOf(tensorOf(storageId('0', P.long(2n ** 40n)), [P.int(9)], [P.int(1)])),
      'WEIGHTS_MALFORMED',
      /more numbers|lists/,
    ],
    [
      'a storage that is not there',
      dictOf(tensorOf(storageId('9', P.int(4)), [P.int(4)], [P.int(1)])),
      'WEIGHTS_MALFORMED',
      /lacks|lists/,
    ],
    ['no tensor at all', pickled(P.emptyDict), 'WEIGHTS_MALFORMED', /no dict of tensors|lists/],
    ['a number', pickled(P.int(1)), 'WEIGHTS_MALFORMED', /no dict of tensors|lists/],
  ];
  it.each(refused)('is refused with %s', async (_what, pickle, code, words) => {
    const error = await refusalOf(contain(pickle));
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
  });

  it('may hold itself and things a billion deep: nothing walks them', async () => {
    const pop = Buffer.from('0');
    const doubled = Array.from({ length: 60 }, (_, index) => {
      return Buffer.concat([P.emptyList, P.get(index), P.append, P.get(index), P.append, P.put(index + 1), pop]);
    });
    const pickle = pickled(
      ...[P.emptyDict, P.put(200)],
      ...[P.text('self'), P.emptyList, P.put(201), P.get(201), P.append, P.setItem],
      ...[P.text('me'), P.get(200), P.setItem],
      ...[P.emptyList, P.put(0), pop, ...doubled, P.text('deep'), P.get(60), P.setItem],
      ...[P.text('w'), tensorOf(four, [P.int(4)], [P.int(1)]), P.setItem],
    );
    expect(Object.fromEntries(await readAll(fileOf(contain(pickle))))).toEqual({ w: [1, 2, 3, 4] });
  });

  it('may not read one storage without end', async () => {
    const entries = Array.from({ length: 3000 }, (_, index) => [P.text(`w${index}`), P.get(1)]).flat();
    const pickle = pickled(tensorOf(four, [P.int(4)], [P.int(1)]), P.put(1), P.emptyDict, P.mark, ...entries, P.setItems);
    // A file of so many bytes may give as many numbers: all three thousand tensors need fewer.
    expect((await readAll(fileOf(contain(pickle)))).size).toBe(3000);
    const large = storageId('0', P.int(40_000));
    const shared = pickled(tensorOf(large, [P.int(40_000)], [P.int(1)]), P.put(1), P.emptyDict, P.mark, ...entries, P.setItems);
    const error = await refusalOf(archiveOf(shared, { 0: Buffer.alloc(160_000) }));
    expect([error.code, error.message]).toEqual(['WEIGHTS_MALFORMED', expect.stringMatching(/share their numbers/)]);
  });

  it('may not make many numbers of one by strides of zero', async () => {
    // Each tensor of 150 × 150 is one number of the storage, again and again.
    const storage = storageId('0', P.int(22_500));
    const grid = tensorOf(storage, [P.int(150), P.int(150)], [P.int(0), P.int(0)]);
    const entries = Array.from({ length: 50 }, (_, index) => [P.text(`w${index}`), P.get(1)]).flat();
    const pickle = pickled(grid, P.put(1), P.emptyDict, P.mark, ...entries, P.setItems);
    const error = await refusalOf(archiveOf(pickle, { 0: Buffer.alloc(90_000) }));
    expect([error.code, error.message]).toEqual(['WEIGHTS_MALFORMED', expect.stringMatching(/share their numbers/)]);
  });

  it('has no numbers where a side is zero, however long the others are', async () => {
    const sides = [...Array.from({ length: 25 }, () => P.int(2 ** 30)), P.int(0)];
    const strides = [...Array.from({ length: 25 }, () => P.int(0)), P.int(2 ** 30)];
    const values = await readAll(fileOf(contain(dictOf(tensorOf(four, sides, strides)))));
    expect(Object.fromEntries(values)).toEqual({ w: [] });
  });

  it(`is ${form} and says so`, async () => {
    const file = await PytorchFile.open(fileOf(contain(dictOf(tensorOf(four, [P.int(1)], [P.int(1)])))));
    expect(file.format).toBe(form);
    await file.close();
  });
});

describe('a checkpoint that PyTorch wrote', () => {
  it.each(['genesis-zip.pt', 'genesis-legacy.pt', 'resnet10-legacy.pth', 'resnet18-zip.pth'])(
    'is refused wherever it is cut: %s',
    async (name) => {
      const whole = readFileSync(join(GOLDENS, name));
      expect((await readAll(fileOf(whole))).size).toBeGreaterThan(30);
      for (let cut = 1; cut < 60; cut++) {
        const error = await refusalOf(whole.subarray(0, Math.floor((whole.length * cut) / 60)));
        expect([cut, error.code]).toEqual([cut, 'WEIGHTS_MALFORMED']);
      }
      expect((await refusalOf(Buffer.alloc(0))).code).toBe('WEIGHTS_MALFORMED');
      expect((await refusalOf(whole.subarray(0, -1))).code).toBe('WEIGHTS_MALFORMED');
    },
  );

  it('is refused when its archive lies: a compressed, doubled or misplaced member', async () => {
    const whole = readFileSync(join(GOLDENS, 'genesis-zip.pt'));
    const directoryAt = whole.readUInt32LE(whole.length - 6);
    const changed = (at: number, value: number): Buffer => {
      const bytes = Buffer.from(whole);
      bytes.writeUInt16LE(value, at);
      return bytes;
    };
    expect(whole.readUInt32LE(directoryAt)).toBe(0x02014b50);
    expect((await refusalOf(changed(directoryAt + 10, 8))).message).toMatch(/compressed/);
    expect((await refusalOf(changed(directoryAt + 8, 1))).message).toMatch(/encrypted/);
    expect((await refusalOf(changed(directoryAt + 44, 0x7fff))).message).toMatch(/beyond/);
    expect((await refusalOf(changed(whole.length - 12, 0xfff0))).message).toMatch(/directory/);
  });

  it('is found out when its pickle was touched', async () => {
    const bytes = readFileSync(join(GOLDENS, 'resnet18-zip.pth'));
    bytes[bytes.indexOf('conv1.weight')] = 0x64;
    expect((await refusalOf(bytes)).message).toMatch(/checksum/);
  });
});

describe('a checkpoint of ours', () => {
  it('reads back as it was written, the same bytes each time', async () => {
    const tensors = [
      { name: 'a', shape: [2, 3], values: Float32Array.of(1, -2, 0.5, 3, 4, 65_504) },
      { name: 'b', shape: [], values: Float32Array.of(0.25) },
      { name: 'count', shape: [], values: Float32Array.of(7), isCounter: true },
    ];
    const path = join(folder, 'ours.pt');
    for (const dtype of ['F32', 'F16', 'BF16'] as const) {
      const content = {
        tensors,
        dtype,
        root: (state: object) =>
          ({
            entries: [
              ['state_dict', state],
              ['note', 'text'],
            ],
          }) as never,
      };
      const first = await writePytorchCheckpoint(path, content);
      expect(await writePytorchCheckpoint(path, content)).toEqual(first);
      expect(readFileSync(path)).toHaveLength(first.bytes);
      const values = await readAll(path);
      expect(values.get('a')).toEqual([1, -2, 0.5, 3, 4, dtype === 'BF16' ? 65_536 : 65_504]);
      expect([values.get('b'), values.get('count')]).toEqual([[0.25], [7]]);
    }
    const file = await PytorchFile.open(path);
    expect([...savedState(file.value).texts]).toEqual([['note', 'text']]);
    await file.close();
  });
});
