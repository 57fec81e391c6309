/** A zip archive of stored members, each beginning at a multiple of 64 bytes, as PyTorch's own, so that it can be memory-mapped. */
import { crc32 } from 'node:zlib';
import { invariant } from '@consilium/shared/kernel';

const ALIGNMENT = 64;
/** 1 January 1980, the format's first day: equal weights give equal files. */
const DATE = 0x21;
const LARGEST = 0xffff_fffe;

export interface MemberToWrite {
  readonly name: string;
  /** Called when the member's turn comes, so that one member at a time is in memory. */
  readonly content: () => Uint8Array;
}

/** The bytes of the archive, in order; at most 4 GiB and 65,534 members. */
export function* zipArchive(members: readonly MemberToWrite[]): Generator<Uint8Array> {
  const directory: Uint8Array[] = [];
  let position = 0;
  for (const { name, content } of members) {
    const bytes = content();
    const facts = { name: Buffer.from(name), crc: crc32(bytes), bytes: bytes.byteLength, headerAt: position };
    const header = localHeader(facts);
    directory.push(directoryEntry(facts));
    yield header;
    yield bytes;
    position += header.byteLength + bytes.byteLength;
    invariant(position <= LARGEST, 'a checkpoint is smaller than 4 GiB');
  }
  yield* directory;
  yield endOfDirectory(
    members.length,
    directory.reduce((sum, { byteLength }) => sum + byteLength, 0),
    position,
  );
}

interface MemberFacts {
  readonly name: Buffer;
  readonly crc: number;
  readonly bytes: number;
  readonly headerAt: number;
}

function localHeader({ name, crc, bytes, headerAt }: MemberFacts): Uint8Array {
  const unpadded = headerAt + 30 + name.length + 4;
  const padding = (ALIGNMENT - (unpadded % ALIGNMENT)) % ALIGNMENT;
  const header = Buffer.alloc(30 + name.length + 4 + padding);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(DATE, 12);
  header.writeUInt32LE(crc, 14);
  header.writeUInt32LE(bytes, 18);
  header.writeUInt32LE(bytes, 22);
  header.writeUInt16LE(name.length, 26);
  header.writeUInt16LE(4 + padding, 28);
  name.copy(header, 30);
  // "FB": the mark of PyTorch's own padding.
  header.writeUInt16LE(0x4246, 30 + name.length);
  header.writeUInt16LE(padding, 32 + name.length);
  return header;
}

function directoryEntry({ name, crc, bytes, headerAt }: MemberFacts): Uint8Array {
  const entry = Buffer.alloc(46 + name.length);
  entry.writeUInt32LE(0x02014b50, 0);
  entry.writeUInt16LE(DATE, 14);
  entry.writeUInt32LE(crc, 16);
  entry.writeUInt32LE(bytes, 20);
  entry.writeUInt32LE(bytes, 24);
  entry.writeUInt16LE(name.length, 28);
  entry.writeUInt32LE(headerAt, 42);
  name.copy(entry, 46);
  return entry;
}

function endOfDirectory(members: number, bytes: number, at: number): Uint8Array {
  invariant(members < 0xffff, 'a checkpoint has fewer members than that');
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members, 8);
  end.writeUInt16LE(members, 10);
  end.writeUInt32LE(bytes, 12);
  end.writeUInt32LE(at, 16);
  return end;
}
