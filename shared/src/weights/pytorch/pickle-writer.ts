/** Writes the pickle of a checkpoint in protocol 2, with the operations that torch.load accepts with `weights_only=True`. */
import { contiguousStrides } from './element-values.js';

/** A tensor whose numbers lie in the archive under the key. */
export class SavedTensor {
  constructor(
    readonly key: string,
    /** The class of its storage, such as FloatStorage. */
    readonly storage: string,
    readonly shape: readonly number[],
  ) {}
}

export type SavedValue = string | number | SavedTensor | SavedDict | readonly SavedValue[];

export interface SavedDict {
  readonly entries: readonly (readonly [name: string, value: SavedValue])[];
}

const OPERATION = {
  protocol2: [0x80, 0x02],
  stop: [0x2e],
  mark: [0x28],
  emptyTuple: [0x29],
  tuple: [0x74],
  emptyList: [0x5d],
  appends: [0x65],
  setItems: [0x75],
  reduce: [0x52],
  persistentId: [0x51],
  false: [0x89],
} as const;

/** @param value dicts become OrderedDicts, arrays lists, numbers integers of up to 53 bits or floats. */
export function writePickle(value: SavedValue): Uint8Array {
  const parts: Uint8Array[] = [];
  const put: Put = (...bytes) => void parts.push(...bytes.map((part) => Uint8Array.from(part)));
  put(OPERATION.protocol2);
  putValue(value, put);
  put(OPERATION.stop);
  return Buffer.concat(parts);
}

type Put = (...bytes: (readonly number[] | Uint8Array)[]) => void;

function putValue(value: SavedValue, put: Put): void {
  if (typeof value === 'string') putText(value, put);
  else if (typeof value === 'number') putNumber(value, put);
  else if (value instanceof SavedTensor) putTensor(value, put);
  else if ('entries' in value && !Array.isArray(value)) putDict(value as SavedDict, put);
  else {
    put(OPERATION.emptyList, OPERATION.mark);
    for (const item of value as readonly SavedValue[]) putValue(item, put);
    put(OPERATION.appends);
  }
}

function putDict({ entries }: SavedDict, put: Put): void {
  put(globalOf('collections', 'OrderedDict'), OPERATION.emptyTuple, OPERATION.reduce, OPERATION.mark);
  for (const [name, value] of entries) {
    putText(name, put);
    putValue(value, put);
  }
  put(OPERATION.setItems);
}

/** _rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks); the storage is a persistent id. */
function putTensor({ key, storage, shape }: SavedTensor, put: Put): void {
  put(globalOf('torch._utils', '_rebuild_tensor_v2'), OPERATION.mark, OPERATION.mark);
  putText('storage', put);
  put(globalOf('torch', storage));
  putText(key, put);
  putText('cpu', put);
  putNumber(
    shape.reduce((product, side) => product * side, 1),
    put,
  );
  put(OPERATION.tuple, OPERATION.persistentId);
  putNumber(0, put);
  for (const sides of [shape, contiguousStrides(shape)]) {
    put(OPERATION.mark);
    for (const side of sides) putNumber(side, put);
    put(OPERATION.tuple);
  }
  put(OPERATION.false, globalOf('collections', 'OrderedDict'), OPERATION.emptyTuple, OPERATION.reduce);
  put(OPERATION.tuple, OPERATION.reduce);
}

function putText(text: string, put: Put): void {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  put([0x58], length, bytes);
}

function putNumber(value: number, put: Put): void {
  const bytes = Buffer.alloc(8);
  if (!Number.isSafeInteger(value)) {
    bytes.writeDoubleBE(value);
    put([0x47], bytes);
  } else if (value === (value | 0)) {
    bytes.writeInt32LE(value);
    put([0x4a], bytes.subarray(0, 4));
  } else {
    bytes.writeBigInt64LE(BigInt(value));
    put([0x8a, 8], bytes);
  }
}

function globalOf(module: string, name: string): Uint8Array {
  return Buffer.from(`c${module}\n${name}\n`);
}
