/**
 * The directory of a zip archive (PKWARE APPNOTE 6.3), as PyTorch writes them: every member stored as it is, 64-bit sizes where
 * needed. Compressed members are refused, so that no member is larger than its share of the file.
 */
import { malformedCheckpoint } from './checkpoint-fault.js';

/** Reads bytes of the file at a position; throws when there are not so many. */
export type ReadAt = (position: number, length: number) => Promise<Uint8Array>;

export interface ZipMember {
  readonly name: string;
  /** Of the local header; the bytes come after it. */
  readonly headerAt: number;
  readonly bytes: number;
  readonly crc32: number;
}

const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const END64_LOCATOR_SIGNATURE = 0x07064b50;
const MEMBER_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const LONGEST_COMMENT = 0xffff;
const NEEDS_64 = 0xffffffff;
/** A directory larger than this is that of no checkpoint; it is read as a whole. */
const DIRECTORY_BYTES_LIMIT = 32 << 20;
const ENCRYPTED = 0x1;

/** The members by name; WEIGHTS_MALFORMED when the directory does not describe this file. */
export async function readZipMembers(readAt: ReadAt, fileBytes: number): Promise<ReadonlyMap<string, ZipMember>> {
  const { at, bytes, members } = await findDirectory(readAt, fileBytes);
  if (bytes > DIRECTORY_BYTES_LIMIT || at + bytes > fileBytes) throw malformedCheckpoint('has a directory beyond its end');
  const directory = view(await readAt(at, bytes));
  const found = new Map<string, ZipMember>();
  let position = 0;
  for (let index = 0; index < members; index++) {
    if (position + 46 > bytes || directory.getUint32(position, true) !== MEMBER_SIGNATURE)
      throw malformedCheckpoint('has a damaged directory');
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((offset) => directory.getUint16(position + offset, true)) as [
      number,
      number,
      number,
    ];
    const end = position + 46 + nameBytes + extraBytes + commentBytes;
    if (end > bytes) throw malformedCheckpoint('has a damaged directory');
    const member = memberAt(directory, position, nameBytes, extraBytes);
    if (member.headerAt + 30 + member.bytes > at) throw malformedCheckpoint('has a member beyond its end');
    if (found.has(member.name)) throw malformedCheckpoint('names a member twice');
    found.set(member.name, member);
    position = end;
  }
  return found;
}

/** Where a member's bytes begin: its local header has a length of its own. */
export async function contentPosition({ headerAt, name }: ZipMember, readAt: ReadAt): Promise<number> {
  const header = view(await readAt(headerAt, 30));
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE) throw malformedCheckpoint(`has no member where ${name} should be`);
  return headerAt + 30 + header.getUint16(26, true) + header.getUint16(28, true);
}

async function findDirectory(readAt: ReadAt, fileBytes: number): Promise<{ at: number; bytes: number; members: number }> {
  const length = Math.min(fileBytes, END_BYTES + LONGEST_COMMENT);
  if (length < END_BYTES) throw malformedCheckpoint('is too short for an archive');
  const tail = view(await readAt(fileBytes - length, length));
  let end = length - END_BYTES;
  while (end >= 0 && tail.getUint32(end, true) !== END_SIGNATURE) end--;
  if (end < 0) throw malformedCheckpoint('is an archive that was cut short');
  const members = tail.getUint16(end + 10, true);
  const bytes = tail.getUint32(end + 12, true);
  const at = tail.getUint32(end + 16, true);
  if (members !== 0xffff && bytes !== NEEDS_64 && at !== NEEDS_64) return { at, bytes, members };
  const locatorAt = fileBytes - length + end - 20;
  if (locatorAt < 0) throw malformedCheckpoint('has a damaged directory');
  const locator = view(await readAt(locatorAt, 20));
  if (locator.getUint32(0, true) !== END64_LOCATOR_SIGNATURE) throw malformedCheckpoint('has a damaged directory');
  const end64At = count64(locator, 8);
  if (end64At + 56 > fileBytes) throw malformedCheckpoint('has a directory beyond its end');
  const end64 = view(await readAt(end64At, 56));
  if (end64.getUint32(0, true) !== END64_SIGNATURE) throw malformedCheckpoint('has a damaged directory');
  return { members: count64(end64, 32), bytes: count64(end64, 40), at: count64(end64, 48) };
}

function memberAt(directory: DataView, at: number, nameBytes: number, extraBytes: number): ZipMember {
  const name = Buffer.from(directory.buffer, directory.byteOffset + at + 46, nameBytes).toString('utf8');
  const flags = directory.getUint16(at + 8, true);
  const method = directory.getUint16(at + 10, true);
  if ((flags & ENCRYPTED) !== 0 || method !== 0) throw malformedCheckpoint('is a compressed or encrypted archive');
  const sizes = [20, 24, 42].map((offset) => directory.getUint32(at + offset, true));
  const [stored, bytes, headerAt] = widen(sizes, directory, at + 46 + nameBytes, extraBytes) as [number, number, number];
  if (stored !== bytes) throw malformedCheckpoint('has a stored member of two sizes');
  return { name, headerAt, bytes, crc32: directory.getUint32(at + 16, true) };
}

/** Numbers of 32 bits that say "see the 64-bit ones" are replaced by them, which are listed in the order size, stored, place. */
function widen(sizes: readonly number[], directory: DataView, extraAt: number, extraBytes: number): number[] {
  if (!sizes.includes(NEEDS_64)) return [...sizes];
  const end = extraAt + extraBytes;
  for (let at = extraAt; at + 4 <= end;) {
    const [id, length] = [directory.getUint16(at, true), directory.getUint16(at + 2, true)];
    if (id !== 1) {
      at += 4 + length;
      continue;
    }
    let next = at + 4;
    const last = Math.min(end, next + length);
    const take = (narrow: number): number => {
      if (narrow !== NEEDS_64) return narrow;
      if (next + 8 > last) throw malformedCheckpoint('has a damaged directory');
      next += 8;
      return count64(directory, next - 8);
    };
    const [stored = 0, bytes = 0, headerAt = 0] = sizes;
    const wideBytes = take(bytes);
    const wideStored = take(stored);
    return [wideStored, wideBytes, take(headerAt)];
  }
  throw malformedCheckpoint('has a damaged directory');
}

function count64(bytes: DataView, offset: number): number {
  const value = bytes.getBigUint64(offset, true);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw malformedCheckpoint('states a size beyond any file');
  return Number(value);
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
