/**
 * The names that a checkpoint may load, all of them data: what PyTorch itself lets through with `weights_only=True`, less what
 * no checkpoint of a network needs. Each is rebuilt here; nothing is looked up by the name that a file gives.
 */
import { elementCount } from '../manifest.js';
import { malformedCheckpoint, refusedPickle, shownName } from './checkpoint-fault.js';
import {
  isTuple,
  KnownGlobal,
  PickledList,
  type PickledKey,
  type PickledTuple,
  type PickledValue,
  type Spend,
  STORAGE_DTYPES,
  StorageReference,
  TensorReference,
} from './pickled-values.js';

/** PyTorch's own limit on dimensions. */
const MOST_DIMENSIONS = 64;

const KNOWN: ReadonlyMap<string, KnownGlobal> = new Map(
  [
    new KnownGlobal('collections.OrderedDict', orderedDict),
    new KnownGlobal('torch._utils._rebuild_tensor', rebuildTensor),
    new KnownGlobal('torch._utils._rebuild_tensor_v2', rebuildTensor),
    new KnownGlobal('torch._utils._rebuild_parameter', rebuildParameter),
    new KnownGlobal('torch.Size', size),
    new KnownGlobal('torch.device', (args) => args),
    ...Object.keys(STORAGE_DTYPES).flatMap((name) => [new KnownGlobal(`torch.${name}`), new KnownGlobal(`torch.cuda.${name}`)]),
    ...['float64', 'float32', 'float16', 'bfloat16', 'int64', 'int32', 'int16', 'int8', 'uint8', 'bool'].map(
      (name) => new KnownGlobal(`torch.${name}`),
    ),
  ].map((known) => [known.name, known]),
);

/** PICKLE_REFUSED, with the name, for everything that is not on the list. */
export function knownGlobal(module: string, name: string): KnownGlobal {
  const known = KNOWN.get(`${module}.${name}`);
  if (known === undefined) throw refusedPickle(shownName(`${module}.${name}`));
  return known;
}

/** PICKLE_REFUSED unless it is a known name that can be called. */
export function callGlobal(callee: PickledValue, args: PickledValue, spend: Spend): PickledValue {
  if (!(callee instanceof KnownGlobal)) throw refusedPickle('a call of something that is no known name');
  if (callee.call === undefined) throw refusedPickle(`a call of ${callee.name}`);
  if (!isTuple(args)) throw malformedCheckpoint(`calls ${callee.name} without a tuple of arguments`);
  return callee.call(args, spend);
}

/** ('storage', class, key, device, elements), in the legacy format with the part of the storage that is meant at the end. */
export function storageOf(id: PickledValue): StorageReference {
  if (!isTuple(id) || id[0] !== 'storage') throw refusedPickle('something stored outside the pickle that is no storage');
  const [, type, key, , elements, view] = id;
  const dtype = type instanceof KnownGlobal ? dtypeOf(type.name) : undefined;
  if (dtype === undefined || typeof key !== 'string') throw malformedCheckpoint('describes a storage wrongly');
  const whole = new StorageReference(key, dtype, count(elements, 'size'));
  if (view === undefined || view === null) return whole;
  const [, first, length] = isTuple(view) ? view : [];
  const part = new StorageReference(key, dtype, count(length, 'size'), count(first, 'offset'));
  if (part.firstElement + part.elements > whole.elements) throw malformedCheckpoint('means a part beyond the end of a storage');
  return part;
}

function dtypeOf(name: string): StorageReference['dtype'] | undefined {
  const kind = name.slice(name.lastIndexOf('.') + 1);
  return Object.hasOwn(STORAGE_DTYPES, kind) ? STORAGE_DTYPES[kind as keyof typeof STORAGE_DTYPES] : undefined;
}

function orderedDict([entries]: PickledTuple, spend: Spend): PickledValue {
  const dict = new Map<PickledKey, PickledValue>();
  const pairs: PickledValue = entries instanceof PickledList ? entries.items : (entries ?? []);
  if (!isTuple(pairs)) throw malformedCheckpoint('makes a dict of something that is no list');
  spend(pairs.length);
  for (const pair of pairs) {
    const [key, value] = pair instanceof PickledList ? pair.items : isTuple(pair) ? pair : [];
    dict.set(requireKey(key), value ?? null);
  }
  return dict;
}

/** Text, numbers, booleans and None; a dict with other keys is no part of a checkpoint. */
export function requireKey(key: PickledValue | undefined): PickledKey {
  if (key === null || typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean')
    return key;
  throw malformedCheckpoint('has a dict whose key is neither text nor a number');
}

function rebuildTensor([storage, offset, shape, strides]: PickledTuple): PickledValue {
  if (!(storage instanceof StorageReference)) throw malformedCheckpoint('has a tensor without a storage');
  const sides = counts(shape, 'shape');
  const steps = counts(strides, 'strides');
  const first = count(offset, 'offset');
  if (sides.length !== steps.length) throw malformedCheckpoint('has a tensor whose strides do not fit its shape');
  const elements = elementCount(sides);
  const last = first + sides.reduce((sum, side, axis) => sum + Math.max(0, side - 1) * (steps[axis] as number), 0);
  // A tensor larger than its storage repeats it (stride 0): a few bytes would become as many numbers as the file likes.
  if (elements > storage.elements || (elements > 0 && last >= storage.elements))
    throw malformedCheckpoint('has a tensor that is larger than its storage');
  return new TensorReference(storage, first, sides, steps);
}

/** (tensor, requires_grad, hooks): the tensor; hooks would be code. */
function rebuildParameter([tensor, , hooks]: PickledTuple): PickledValue {
  if (!(tensor instanceof TensorReference)) throw malformedCheckpoint('has a parameter without a tensor');
  if (hooks instanceof Map && hooks.size > 0) throw refusedPickle('the hooks of a parameter');
  return tensor;
}

function size([sides]: PickledTuple): PickledValue {
  return counts(sides, 'size');
}

function counts(value: PickledValue | undefined, what: string): number[] {
  const items = value instanceof PickledList ? value.items : isTuple(value) ? value : undefined;
  if (items === undefined || items.length > MOST_DIMENSIONS)
    throw malformedCheckpoint(`has a tensor whose ${what} is no list of sides`);
  return items.map((item) => count(item, what));
}

function count(value: PickledValue | undefined, what: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw malformedCheckpoint(`has a tensor or storage whose ${what} is no count`);
}
