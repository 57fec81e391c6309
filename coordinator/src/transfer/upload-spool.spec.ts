import { randomBytes } from 'node:crypto';
import { utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DIGEST_ALGORITHMS, digestOfBytes, Random } from '@consilium/shared/kernel';
import { UploadRoom } from '../../../test/fixtures/open-upload-room.js';
import { eventually } from '../../../test/fixtures/raw-site.js';

const content = randomBytes(300_000);
const digest = digestOfBytes(content, 'blake3');

let room: UploadRoom;

afterEach(() => room.remove());

describe('an upload', () => {
  beforeEach(async () => {
    room = await UploadRoom.open({ uploadsAtOnce: 2, uploadStall: '300ms', uploadLifetime: '1h' });
  });

  it.each(DIGEST_ALGORITHMS)('arrives in chunks, is digested by %s on its way and handed over once whole', async (algorithm) => {
    const named = digestOfBytes(content, algorithm);
    const id = await room.create(named, content.length);
    await expect(room.spool.takeWhole(id, 'a-part')).rejects.toMatchObject({ code: 'UPLOAD_INCOMPLETE' });
    for (const from of [0, 100_000, 200_000]) {
      const answer = await room.append(id, from, content.subarray(from, from + 100_000));
      expect([answer.status, answer.headers.get('upload-offset')]).toEqual([204, String(from + 100_000)]);
    }
    const whole = await room.spool.takeWhole(id, 'a-part');
    expect(whole).toMatchObject({ bytes: content.length, digest: named });
    expect(Buffer.compare(await room.bytesOf(id), content)).toBe(0);
    await expect(room.spool.takeWhole(id, 'b-part')).rejects.toMatchObject({ code: 'UPLOAD_INCOMPLETE' });
    await room.spool.discard(id);
    expect(await room.files()).toEqual([]);
    expect((await room.append(id, 0, content)).status).toBe(404);
  });

  it.each(DIGEST_ALGORITHMS)('goes on after a restart; %s then covers what was on disk before', async (algorithm) => {
    const named = digestOfBytes(content, algorithm);
    const id = await room.create(named, content.length);
    await room.append(id, 0, content.subarray(0, 123_456));
    await room.restart();
    expect(await room.offsetOf(id)).toBe(123_456);
    expect((await room.append(id, 123_456, content.subarray(123_456))).status).toBe(204);
    await room.restart();
    expect(await room.spool.takeWhole(id, 'a-part')).toMatchObject({ digest: named, bytes: content.length });
  });

  it('is not changed by a chunk that comes twice, too early or too late; the answer names the right offset', async () => {
    const id = await room.create(digest, content.length);
    await room.append(id, 0, content.subarray(0, 1000));
    for (const offset of [0, 500, 2000]) {
      const answer = await room.append(id, offset, content.subarray(offset, offset + 1000));
      expect([answer.status, answer.headers.get('upload-offset')]).toEqual([409, '1000']);
    }
    expect(Buffer.compare(await room.bytesOf(id), content.subarray(0, 1000))).toBe(0);
  });

  it('keeps what arrived of a chunk whose connection breaks', async () => {
    const id = await room.create(digest, content.length);
    (await room.beginChunk(id, 0, 200_000, content.subarray(0, 70_000))).end();
    await eventually(async () => ((await room.bytesOf(id)).length === 70_000 ? true : undefined));
    expect(await room.offsetOf(id)).toBe(70_000);
    expect((await room.append(id, 70_000, content.subarray(70_000))).status).toBe(204);
  });

  it('takes no byte more than was announced', async () => {
    const id = await room.create(digest, content.length);
    const longer = await room.append(id, 0, Buffer.concat([content, Buffer.from('x')]));
    expect([longer.status, await longer.json()]).toMatchObject([413, { code: 'MESSAGE_REFUSED' }]);
    expect(await room.offsetOf(id)).toBe(0);
  });

  it('that arrived altered is dropped with the reason, so that the site begins anew', async () => {
    const id = await room.create(digest, content.length);
    const altered = Buffer.from(content);
    altered[777] = (altered[777] ?? 0) ^ 1;
    await room.append(id, 0, altered.subarray(0, 1000));
    const answer = await room.append(id, 1000, altered.subarray(1000));
    expect([answer.status, await answer.json()]).toMatchObject([422, { code: 'DIGEST_MISMATCH' }]);
    expect(await room.files()).toEqual([]);
    expect((await room.ask('HEAD', `/${id}`)).status).toBe(404);
  });

  it('is not blocked by its own dead connection: a new request ends the old one', async () => {
    const id = await room.create(digest, content.length);
    const dead = await room.beginChunk(id, 0, 200_000, content.subarray(0, 5000));
    await eventually(async () => ((await room.bytesOf(id)).length === 5000 ? true : undefined));
    const closed = new Promise((resolve) => dead.once('close', resolve));
    expect(await room.offsetOf(id)).toBe(5000);
    expect((await room.append(id, 5000, content.subarray(5000))).status).toBe(204);
    await closed;
    expect(await room.spool.takeWhole(id, 'a-part')).toMatchObject({ digest });
  });

  it('whose sender falls silent is cut, and frees its place', async () => {
    const id = await room.create(digest, content.length);
    const silent = await room.beginChunk(id, 0, 200_000, content.subarray(0, 5000));
    await new Promise((resolve) => silent.once('close', resolve));
    expect((await room.bytesOf(id)).length).toBe(5000);
    expect((await room.append(id, 5000, content.subarray(5000))).status).toBe(204);
  });

  it('of a slow sender is not cut while bytes come', async () => {
    const id = await room.create(digest, content.length);
    const slow = await room.beginChunk(id, 0, 3000, content.subarray(0, 300));
    for (let at = 300; at < 3000; at += 300) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      slow.write(content.subarray(at, at + 300));
    }
    await eventually(async () => ((await room.bytesOf(id)).length === 3000 ? true : undefined));
    slow.destroy();
  });

  it('is lost to the site when it creates another for the same part', async () => {
    const first = await room.create(digest, content.length);
    await room.append(first, 0, content.subarray(0, 1000));
    const second = await room.create(digest, content.length);
    expect(await room.files()).toEqual([second, `${second}.json`]);
  });

  it('is refused in the words of the protocol', async () => {
    const id = await room.create(digest, content.length);
    const chunk = { 'upload-offset': '0', 'content-type': 'application/offset+octet-stream' };
    const status = async (...order: Parameters<UploadRoom['ask']>): Promise<number> => (await room.ask(...order)).status;
    expect((await room.ask('OPTIONS')).headers.get('tus-extension')).toBe('creation,expiration,termination');
    expect(await status('HEAD', `/${id}`, { 'tus-resumable': '0.2.2' })).toBe(412);
    expect(await status('PATCH', `/${id}`, { ...chunk, 'content-type': 'text/plain' }, content)).toBe(415);
    expect(await status('PATCH', `/${id}`, { ...chunk, 'upload-offset': '-1' }, content)).toBe(400);
    expect(await status('PATCH', '/unknown', chunk, content)).toBe(404);
    expect(await status('PATCH', '/..%2fcoordinator.sqlite', chunk, content)).toBe(404);
    expect(await status('HEAD', `/${id}`, {}, undefined, 'b')).toBe(404);
    expect(await status('PUT', `/${id}`)).toBe(405);
    expect(await status('GET')).toBe(405);
    expect(await status('POST', '', { 'upload-length': '5', 'upload-metadata': 'patient eA==' })).toBe(400);
    await expect(room.create(digest, 4 * (1 << 24))).rejects.toThrow('MESSAGE_REFUSED');
    await expect(room.create(digest, 5, 'a', 'b-part')).rejects.toThrow('NOT_FOUND');
    room.revoked.add('a');
    expect(await status('HEAD', `/${id}`)).toBe(401);
    room.revoked.clear();
    expect(await status('DELETE', `/${id}`)).toBe(204);
    expect(await room.files()).toEqual([]);
  });

  it('that nobody adds to is removed after its lifetime, with everything beside it, also by a later process', async () => {
    const old = await room.create(digest, content.length);
    await room.append(old, 0, content.subarray(0, 1000));
    await writeFile(join(room.home, 'uploads', 'of-an-older-program'), 'x');
    room.nowMs += 30 * 60_000;
    await room.spool.sweep();
    expect(await room.files()).toHaveLength(3);
    const young = await room.create(digest, content.length, 'b');
    room.nowMs += 31 * 60_000;
    await room.restart();
    await room.spool.sweep();
    expect(await room.files()).toEqual([young, `${young}.json`]);
  });

  it('that still grows is not removed, however long it takes', async () => {
    const id = await room.create(digest, content.length);
    room.nowMs += 10 * 3_600_000;
    await utimes(join(room.home, 'uploads', id), new Date(room.nowMs), new Date(room.nowMs));
    await room.spool.sweep();
    expect(await room.files()).toEqual([id, `${id}.json`]);
  });
});

describe('more uploads at once than may be received', () => {
  it('wait unread for their turn, and all arrive', async () => {
    room = await UploadRoom.open({ uploadsAtOnce: 2 });
    const sites = Array.from({ length: 16 }, (_, index) => `site${index}`);
    const ids = await Promise.all(sites.map((site) => room.create(digest, content.length, site)));
    // Each sends a half and then waits: only those whose turn it is are read.
    const half = content.subarray(0, 150_000);
    const begun = await Promise.all(ids.map((id, index) => room.beginChunk(id, 0, content.length, half, sites[index])));
    const received = async (): Promise<number[]> =>
      (await Promise.all(ids.map((id) => room.bytesOf(id)))).flatMap(({ length }, index) => (length > 0 ? [index] : []));
    await eventually(async () => ((await received()).length === 2 ? true : undefined));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const first = await received();
    expect(first).toHaveLength(2);
    for (const socket of begun) socket.write(content.subarray(150_000));
    const isWhole = async (id: string): Promise<boolean> => (await room.bytesOf(id)).length === content.length;
    await eventually(async () => ((await Promise.all(ids.map(isWhole))).every(Boolean) ? true : undefined));
    for (const [index, id] of ids.entries()) {
      expect(await room.spool.takeWhole(id, `${sites[index]}-part`)).toMatchObject({ digest });
    }
    for (const socket of begun) socket.destroy();
  });
});

function below(random: Random, limit: number): number {
  return random.integer(0, limit - 1);
}

describe('a few hundred uploads over a bad link', () => {
  /** Sends one upload by a drawn schedule of whole, cut, repeated, early and altered chunks; returns how often it was dropped. */
  async function deliver(random: Random, bytes: Buffer, algorithm: (typeof DIGEST_ALGORITHMS)[number]): Promise<number> {
    const named = digestOfBytes(bytes, algorithm);
    let id = await room.create(named, bytes.length);
    let [offset, wasAltered, drops] = [0, false, 0];
    while (offset < bytes.length) {
      const chunk = bytes.subarray(offset, offset + 1 + below(random, bytes.length));
      const kind = below(random, 8);
      if (kind === 0) {
        const cut = await room.beginChunk(id, offset, chunk.length, chunk.subarray(0, below(random, chunk.length)));
        if (below(random, 2) === 0) cut.destroy(); // else it stays half open
        offset = await room.offsetOf(id);
      } else if (kind === 1) {
        const elsewhere = below(random, bytes.length);
        if (elsewhere === offset) continue;
        const answer = await room.append(id, elsewhere, bytes.subarray(elsewhere, elsewhere + 1));
        expect(answer.status).toBe(409);
        offset = Number(answer.headers.get('upload-offset'));
      } else if (kind === 2 && below(random, 20) === 0) {
        await room.restart();
        offset = await room.offsetOf(id);
      } else {
        const altered = kind === 3 && below(random, 4) === 0;
        const sent = altered ? Buffer.from(chunk.map((byte) => byte ^ 1)) : chunk;
        // A chunk that was cut may reach the coordinator late: it then ends this one, or has moved the offset.
        const answer = await room.append(id, offset, sent).catch(() => undefined);
        wasAltered ||= altered;
        if (answer?.status === 422) {
          expect(wasAltered).toBe(true);
          id = await room.create(named, bytes.length);
          [offset, wasAltered, drops] = [0, false, drops + 1];
        } else {
          offset = answer === undefined ? await room.offsetOf(id) : Number(answer.headers.get('upload-offset'));
        }
      }
    }
    const whole = await room.spool.takeWhole(id, 'a-part');
    expect(whole).toMatchObject({ bytes: bytes.length, digest: named });
    expect(Buffer.compare(await room.bytesOf(id), bytes)).toBe(0);
    await room.spool.discard(id);
    return drops;
  }

  it('always become the bytes that were sent, and leave nothing behind', async () => {
    room = await UploadRoom.open({ uploadsAtOnce: 3 });
    const random = new Random('uploads over a bad link');
    let drops = 0;
    for (let index = 0; index < 300; index++) {
      const bytes = Buffer.alloc(1 + below(random, 40_000), index);
      for (let at = 0; at < bytes.length; at += 97) bytes[at] = below(random, 256);
      drops += await deliver(random, bytes, DIGEST_ALGORITHMS[index % 2] ?? 'sha256');
    }
    expect(drops).toBeGreaterThan(5);
    expect(await room.files()).toEqual([]);
  }, 60_000);
});
