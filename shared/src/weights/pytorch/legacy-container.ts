import { malformedCheckpoint } from './checkpoint-fault.js';
import { storageOf } from './known-globals.js';
import { readPickle } from './pickle-machine.js';
import { PickledList, type PickledValue, type StorageReference, TORCH_DTYPE_BYTES } from './pickled-values.js';
import { PICKLE_BYTES_LIMIT, type PytorchContainer } from './pytorch-container.js';
import type { ReadAt } from './zip-members.js';

/** What PyTorch puts first, so that a file is known as its own: 0x1950a86a20f9469cfc6c. */
const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;

/**
 * PyTorch's format before 1.6: five pickles (magic number, protocol, facts of the system, the object, the storages' keys), then
 * each storage in the order of the keys, as a 64-bit number of elements and the elements.
 */
export async function openLegacyContainer(readAt: ReadAt, fileBytes: number): Promise<PytorchContainer> {
  const head = await readAt(0, Math.min(fileBytes, PICKLE_BYTES_LIMIT));
  const dtypes = new Map<string, StorageReference['dtype']>();
  const load = (id: PickledValue): StorageReference => {
    const storage = storageOf(id);
    const known = dtypes.get(storage.key) ?? storage.dtype;
    if (known !== storage.dtype) throw malformedCheckpoint('gives one storage two number formats');
    dtypes.set(storage.key, known);
    return storage;
  };
  const magic = readPickle(head, 0, load);
  const protocol = readPickle(head, magic.end, load);
  if (magic.value !== MAGIC_NUMBER || protocol.value !== LEGACY_PROTOCOL) {
    throw malformedCheckpoint('begins with a pickle, but not with that of a checkpoint');
  }
  const system = readPickle(head, protocol.end, load);
  if (!(system.value instanceof Map) || system.value.get('little_endian') !== true) {
    throw malformedCheckpoint('does not come from a little-endian computer');
  }
  const object = readPickle(head, system.end, load);
  const keys = readPickle(head, object.end, load);
  const places = await walkStorages(keys.value, keys.end, dtypes, readAt, fileBytes);
  return {
    format: 'legacy',
    value: object.value,
    place: (storage) => {
      const place = places.get(storage.key);
      if (place === undefined) throw malformedCheckpoint('lacks the numbers of a tensor');
      if (storage.firstElement + storage.elements > place.elements) throw malformedCheckpoint('claims more numbers than it has');
      return Promise.resolve(place.at);
    },
  };
}

async function walkStorages(
  listed: PickledValue,
  start: number,
  dtypes: ReadonlyMap<string, StorageReference['dtype']>,
  readAt: ReadAt,
  fileBytes: number,
): Promise<ReadonlyMap<string, { at: number; elements: number }>> {
  const keys = listed instanceof PickledList ? listed.items : [];
  const places = new Map<string, { at: number; elements: number }>();
  let position = start;
  for (const key of keys) {
    const dtype = typeof key === 'string' ? dtypes.get(key) : undefined;
    if (typeof key !== 'string' || dtype === undefined || places.has(key)) throw malformedCheckpoint('lists a storage wrongly');
    const sizeBytes = Buffer.from(await readAt(position, 8));
    const elements = Number(sizeBytes.readBigInt64LE());
    const at = position + 8;
    position = at + elements * TORCH_DTYPE_BYTES[dtype];
    if (!Number.isSafeInteger(elements) || elements < 0 || position > fileBytes)
      throw malformedCheckpoint('was cut short or claims more numbers than it has');
    places.set(key, { at, elements });
  }
  return places;
}
