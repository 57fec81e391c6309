import { FederationError, Random } from '@consilium/shared/kernel';
import { mutateBytes } from '../../../../test/fixtures/mutate-bytes.js';
import { boundaryOf, multipartBodies } from './multipart-bodies.js';

async function* inPieces(text: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < text.length; at += size) yield text.subarray(at, at + size);
}

async function read(text: Buffer | string, size = 7): Promise<string[]> {
  const bodies: string[] = [];
  for await (const body of multipartBodies(inPieces(Buffer.from(text as string, 'latin1'), size), 'b')) {
    const pieces: Buffer[] = [];
    for await (const piece of body) pieces.push(piece);
    bodies.push(Buffer.concat(pieces).toString('latin1'));
  }
  return bodies;
}

const TWO = '--b\r\nContent-Type: application/dicom\r\n\r\nfirst\r\n--b\r\n\r\nsecond\r\n--b--\r\n';

describe('boundaryOf', () => {
  it.each([
    ['multipart/related; type="application/dicom"; boundary=abc', 'abc'],
    ['Multipart/Related;boundary="a b\\"c;d";type=application/dicom', 'a b"c;d'],
    ['multipart/related; boundary=abc; type="application/dicom"', 'abc'],
    ['application/dicom', undefined],
    ['multipart/related; type="application/dicom"', undefined],
    [`multipart/related; boundary=${'x'.repeat(300)}`, undefined],
  ])('%s', (contentType, boundary) => {
    expect(boundaryOf(contentType)).toBe(boundary);
  });
});

describe('multipartBodies', () => {
  it('finds the same parts however the bytes are cut into pieces', async () => {
    for (let size = 1; size <= TWO.length; size++) await expect(read(TWO, size)).resolves.toEqual(['first', 'second']);
  });

  it('keeps content that resembles a boundary, an end of line or a header', async () => {
    const content = '\r\n--\r\n--a\r\n--bc\r\n--b-\r\n--b \t x\r\n\r\n--\r\n\r\n--';
    for (const size of [1, 2, 3, 5, 1000]) {
      await expect(read(`--b\r\nA: 1\r\n\r\n${content}\r\n--b--`, size)).resolves.toEqual([content]);
    }
  });

  it('passes over a preamble, blanks behind a boundary, an epilogue, and lengths that are wrong', async () => {
    const text =
      'about this\r\nanswer\r\n--b \t \r\nContent-Length: 9999\r\n\r\nabc\r\n--b\r\nContent-Length: 1\r\n\r\nxyz\r\n--b--\r\nbye';
    await expect(read(text)).resolves.toEqual(['abc', 'xyz']);
  });

  it('reads empty bodies, and an answer without parts', async () => {
    await expect(read('--b\r\n\r\n\r\n--b\r\nA: 1\r\n\r\n\r\n--b--')).resolves.toEqual(['', '']);
    await expect(read('--b--')).resolves.toEqual([]);
  });

  it('goes on with the next part when one is not read', async () => {
    const firsts: string[] = [];
    for await (const body of multipartBodies(inPieces(Buffer.from(TWO), 3), 'b')) {
      for await (const piece of body) {
        firsts.push(piece.toString());
        break;
      }
    }
    expect(firsts).toHaveLength(2);
    let parts = 0;
    for await (const body of multipartBodies(inPieces(Buffer.from(TWO), 3), 'b')) if (body) parts++;
    expect(parts).toBe(2);
  });

  it('says when the end is missing, wherever it was cut', async () => {
    const end = TWO.lastIndexOf('--b--') + '--b--'.length;
    for (let length = 0; length < end; length++) {
      await expect(read(TWO.slice(0, length))).rejects.toMatchObject({ code: 'TRANSFER_BROKEN' });
    }
  });

  it('holds no more than a piece and a boundary of a part without end', async () => {
    const piece = Buffer.alloc(65_536, 'x');
    const endless = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.from('--b\r\n\r\n');
      for (;;) yield piece;
    };
    let bytes = 0;
    let largest = 0;
    for await (const body of multipartBodies(endless(), 'b')) {
      for await (const part of body) {
        bytes += part.length;
        largest = Math.max(largest, part.length);
        if (bytes > 5e7) break;
      }
      break;
    }
    expect(largest).toBeLessThanOrEqual(piece.length + 8);
  });

  it('refuses headers and a preamble that do not end', async () => {
    await expect(read(`--b\r\nA: ${'x'.repeat(20_000)}`, 1000)).rejects.toMatchObject({ code: 'ARCHIVE_ANSWER_INVALID' });
    await expect(read('x'.repeat(100_000), 1000)).rejects.toMatchObject({ code: 'ARCHIVE_ANSWER_INVALID' });
  });

  it('reads mutated answers, or says what is wrong with them', async () => {
    const random = new Random('multipart answers');
    const allowed = ['TRANSFER_BROKEN', 'ARCHIVE_ANSWER_INVALID'];
    const seen = new Map<string, number>();
    for (let n = 0; n < 3000; n++) {
      let text: Uint8Array = Buffer.from(TWO);
      for (let times = random.integer(1, 3); times > 0; times--) text = mutateBytes(random, text);
      const outcome = await read(Buffer.from(text), random.integer(1, 20)).then(
        (bodies) => `${Math.min(2, bodies.length)} parts`,
        (thrown: unknown) => (thrown instanceof FederationError && allowed.includes(thrown.code) ? thrown.code : String(thrown)),
      );
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
    }
    expect([...seen.keys()].sort()).toEqual(['0 parts', '1 parts', '2 parts', 'TRANSFER_BROKEN']);
  });
});
