import { HeadReader, OTHER_FORM } from './response-head.js';

const PLAIN = 'HTTP/1.1 206 Partial Content\r\nContent-Length: 12\r\nETag:  "a:b" \r\nX-Empty:\r\n\r\n';

function read(text: string): ReturnType<HeadReader['take']> {
  return new HeadReader().take(Buffer.from(text, 'latin1'));
}

describe('HeadReader', () => {
  it('reads a plain head and says where the body begins', () => {
    expect(read(`${PLAIN}body\r\n\r\n`)).toEqual({
      head: { status: 206, headers: { 'content-length': '12', etag: '"a:b"', 'x-empty': '' }, bodyBytes: 12 },
      headBytes: PLAIN.length,
    });
  });

  it('reads a head that comes byte by byte into memory that is used again', () => {
    const reader = new HeadReader();
    const memory = Buffer.alloc(1);
    for (const [index, character] of [...PLAIN].entries()) {
      memory.write(character, 'latin1');
      const taken = reader.take(memory);
      if (index < PLAIN.length - 1) expect(taken).toBeUndefined();
      else expect(taken).toMatchObject({ head: { status: 206, bodyBytes: 12 }, headBytes: 1 });
    }
  });

  it.each([
    ['chunked', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['chunked with a length', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['without a length', 'HTTP/1.1 200 OK\r\n\r\n'],
    ['with two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\nContent-Length: 4\r\n\r\n'],
    ['with a signed length', 'HTTP/1.1 200 OK\r\ncontent-length: +3\r\n\r\n'],
    ['with a folded line', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n more\r\n\r\n'],
    ['interim', 'HTTP/1.1 100 Continue\r\ncontent-length: 0\r\n\r\n'],
    ['without a body by its status', 'HTTP/1.1 304 Not Modified\r\ncontent-length: 3\r\n\r\n'],
    ['of an older version', 'HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n'],
    ['of another protocol', 'SSH-2.0-x\r\n\r\n'],
    ['of inherited names', 'HTTP/1.1 200 OK\r\ncontent-length: 3\r\n__proto__: x\r\n\r\n'],
    ['without an end', 'a'.repeat(20_000)],
  ])('leaves an answer %s to others', (_what, text) => {
    expect(read(text)?.head).toBe(OTHER_FORM);
  });
});
