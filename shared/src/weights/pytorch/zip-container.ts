import { crc32 } from 'node:zlib';
import { malformedCheckpoint, refusedPickle } from './checkpoint-fault.js';
import { storageOf } from './known-globals.js';
import { readPickle } from './pickle-machine.js';
import { type StorageReference, TORCH_DTYPE_BYTES } from './pickled-values.js';
import { PICKLE_BYTES_LIMIT, type PytorchContainer } from './pytorch-container.js';
import { contentPosition, type ReadAt, readZipMembers, type ZipMember } from './zip-members.js';

/** PyTorch's format since 1.6: an archive with data.pkl and one member per storage, all below one folder. */
export async function openZipContainer(readAt: ReadAt, fileBytes: number): Promise<PytorchContainer> {
  const members = await readZipMembers(readAt, fileBytes);
  const pickle = [...members.values()].find(({ name }) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickle === undefined) throw malformedCheckpoint('is an archive without a pickle of weights');
  const folder = pickle.name.slice(0, -'data.pkl'.length);
  if ([...members.keys()].some((name) => name.startsWith(`${folder}code/`))) throw refusedPickle('a TorchScript program');
  await requireLittleEndian(members.get(`${folder}byteorder`), readAt);
  if (pickle.bytes > PICKLE_BYTES_LIMIT) throw malformedCheckpoint('has a pickle larger than that of any checkpoint');
  const bytes = await readMember(pickle, readAt);
  return {
    format: 'zip',
    value: readPickle(bytes, 0, storageOf).value,
    place: async (storage) => {
      const member = members.get(`${folder}data/${storage.key}`);
      if (member === undefined) throw malformedCheckpoint('lacks the numbers of a tensor');
      requireRoom(storage, member);
      return contentPosition(member, readAt);
    },
  };
}

/** The pickle's claim of a size against the member that holds it. */
function requireRoom({ dtype, elements, firstElement }: StorageReference, { bytes }: ZipMember): void {
  if ((firstElement + elements) * TORCH_DTYPE_BYTES[dtype] > bytes) throw malformedCheckpoint('claims more numbers than it has');
}

async function readMember(member: ZipMember, readAt: ReadAt): Promise<Uint8Array> {
  const bytes = await readAt(await contentPosition(member, readAt), member.bytes);
  if (crc32(bytes) !== member.crc32) throw malformedCheckpoint('has a pickle whose checksum is wrong');
  return bytes;
}

async function requireLittleEndian(order: ZipMember | undefined, readAt: ReadAt): Promise<void> {
  if (order === undefined) return;
  if (order.bytes > 16) throw malformedCheckpoint('states no byte order');
  const text = Buffer.from(await readMember(order, readAt)).toString('utf8');
  if (text !== 'little') throw malformedCheckpoint('comes from a big-endian computer, which is not supported');
}
