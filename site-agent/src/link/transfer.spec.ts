import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore } from '@tus/file-store';
import { Server as TusServer } from '@tus/server';
import { type Digest, digestOfBytes, type FederationError } from '@consilium/shared/kernel';
import { DATA_PATHS } from '@consilium/shared/wire';
import { CuttingProxy } from '../../../test/fixtures/cutting-proxy.js';
import type { BackoffPlan } from './backoff.js';
import { paceOf } from './pace.js';
import { downloadBlob } from './resumable-download.js';
import { BearerIdentity } from './request-identity.js';
import { uploadFile, type UploadOrder } from './resumable-upload.js';

const backoff: BackoffPlan = { firstMs: 20, capMs: 200, floorMs: 5 };
const content = randomBytes(6 * 1024 ** 2);
const digest = digestOfBytes(content);
const credential = 'secret';
const identity = new BearerIdentity(credential);

let folder: string;
let http: Server;
let proxy: CuttingProxy;
let handle: (request: IncomingMessage, response: ServerResponse) => void;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'transfer-'));
  http = createServer((request, response) => handle(request, response));
  const port = await new Promise<number>((resolve) => {
    http.listen(0, '127.0.0.1', () => {
      const address = http.address();
      resolve(address !== null && typeof address === 'object' ? address.port : 0);
    });
  });
  proxy = await CuttingProxy.open(port);
});

afterEach(async () => {
  await proxy.close();
  http.closeAllConnections();
  await new Promise((resolve) => http.close(resolve));
  await rm(folder, { recursive: true, force: true });
});

describe('resumable upload', () => {
  let requests: { method: string; offset: number | undefined }[];
  let tus: TusServer;
  let stored: string;

  beforeEach(async () => {
    requests = [];
    stored = join(folder, 'stored');
    tus = new TusServer({ path: DATA_PATHS.uploads, datastore: new FileStore({ directory: stored }), relativeLocation: true });
    handle = (request, response) => {
      const offset = request.headers['upload-offset'];
      requests.push({ method: request.method ?? '', offset: offset === undefined ? undefined : Number(offset) });
      void tus.handle(request, response);
    };
    await writeFile(join(folder, 'update'), content);
  });

  const order = (changes: Partial<UploadOrder> = {}): UploadOrder => ({
    coordinatorUrl: proxy.url,
    identity,
    participationId: 'p1',
    digest,
    path: join(folder, 'update'),
    uploadId: undefined,
    onCreated: () => undefined,
    ...changes,
  });

  it('goes on where the coordinator stands after a cut', async () => {
    proxy.cutAfter('up', 2 * 1024 ** 2);
    const waits: string[] = [];
    const options = { signal: new AbortController().signal, backoff, onWait: ({ code }: { code: string }) => waits.push(code) };
    const uploadId = await uploadFile(order(), options);
    expect(Buffer.compare(await readFile(join(stored, uploadId)), content)).toBe(0);
    const patches = requests.filter(({ method }) => method === 'PATCH');
    expect(patches).toHaveLength(2);
    expect(patches[0]?.offset).toBe(0);
    const resumedAt = patches[1]?.offset ?? 0;
    expect(resumedAt).toBeGreaterThan(1024 ** 2);
    // All bytes that passed the line, less headers, are the file and what the cut swallowed; no accepted byte twice.
    expect(proxy.bytesUp).toBeLessThan(content.length + (2 * 1024 ** 2 + 256 * 1024 - resumedAt) + 8192);
    expect(waits[0]).toBe('TRANSFER_BROKEN');
  });

  it('goes on after a restart of the agent, with the identifier it kept', async () => {
    const stop = new AbortController();
    let kept: string | undefined;
    const cut = uploadFile(
      order({ onCreated: (created) => (kept = created), onProgress: (sent) => sent > 1024 ** 2 && stop.abort() }),
      {
        signal: stop.signal,
        backoff,
      },
    );
    await expect(cut).rejects.toMatchObject({ code: 'TRANSFER_BROKEN' });
    const before = await sizeWhenQuiet(join(stored, kept ?? ''));
    requests.length = 0;
    const created: string[] = [];
    const options = { signal: new AbortController().signal, backoff };
    const uploadId = await uploadFile(order({ uploadId: kept, onCreated: (id) => created.push(id) }), options);
    expect(uploadId).toBe(kept);
    expect(created).toEqual([]);
    expect(requests.filter(({ method }) => method === 'PATCH')).toEqual([{ method: 'PATCH', offset: before }]);
    expect(Buffer.compare(await readFile(join(stored, uploadId)), content)).toBe(0);
  });

  it('sends nothing when the coordinator already has everything, and starts afresh when it knows nothing', async () => {
    const options = { signal: new AbortController().signal, backoff };
    const first = await uploadFile(order(), options);
    requests.length = 0;
    expect(await uploadFile(order({ uploadId: first }), options)).toBe(first);
    expect(requests).toEqual([{ method: 'HEAD', offset: undefined }]);
    expect(await uploadFile(order({ uploadId: 'gone' }), options)).not.toBe('gone');
  });

  it('sends smaller requests where a proxy refuses large ones', async () => {
    const whole = handle;
    handle = (request, response) => {
      if (Number(request.headers['content-length'] ?? 0) <= 3 * 1024 ** 2) return whole(request, response);
      response.writeHead(413, { connection: 'close' }).end('too large');
    };
    const uploadId = await uploadFile(order(), { signal: new AbortController().signal, backoff });
    expect(Buffer.compare(await readFile(join(stored, uploadId)), content)).toBe(0);
    expect(requests.flatMap(({ offset }) => offset ?? [])).toEqual([0, 2, 4].map((mebibytes) => mebibytes * 1024 ** 2));
  });

  it('begins anew what arrived altered, a few times', async () => {
    const ids: string[] = [];
    const whole = handle;
    handle = (request, response) => {
      if (request.method !== 'PATCH' || ids.length >= 3) return whole(request, response);
      const report = { code: 'DIGEST_MISMATCH', message: 'altered', retryable: false, details: {} };
      request.resume().on('end', () => response.writeHead(422).end(JSON.stringify(report)));
    };
    const options = { signal: new AbortController().signal, backoff };
    const uploadId = await uploadFile(order({ onCreated: (id) => ids.push(id) }), options);
    expect(ids).toHaveLength(3);
    expect(uploadId).toBe(ids[2]);
    ids.length = 0;
    handle = (request, response) => {
      if (request.method !== 'PATCH') return whole(request, response);
      const report = { code: 'DIGEST_MISMATCH', message: 'altered', retryable: false, details: {} };
      request.resume().on('end', () => response.writeHead(422).end(JSON.stringify(report)));
    };
    const failing = uploadFile(order({ onCreated: (id) => ids.push(id) }), options);
    await expect(failing).rejects.toMatchObject({ code: 'DIGEST_MISMATCH', retryable: false });
    expect(ids).toHaveLength(3);
  });

  it('holds to the pace it is given', async () => {
    const startedMs = performance.now();
    const beforePiece = paceOf(20 * 1024 ** 2);
    await uploadFile(order({ beforePiece }), { signal: new AbortController().signal, backoff });
    expect(performance.now() - startedMs).toBeGreaterThan(250);
  });

  it('throws what the coordinator refuses, and keeps trying when it is only busy', async () => {
    const answers = [503, 500, 409];
    handle = (_request, response) => {
      const status = answers.shift();
      const report = { code: 'ROUND_CLOSED', message: 'the round is closed', retryable: false, details: {} };
      response.writeHead(status ?? 409).end(answers.length === 0 ? JSON.stringify(report) : '');
    };
    const options = { signal: new AbortController().signal, backoff };
    await expect(uploadFile(order(), options)).rejects.toMatchObject({ code: 'ROUND_CLOSED' });
    expect(answers).toEqual([]);
  });
});

describe('resumable download', () => {
  let ranges: (string | undefined)[];
  let served: Buffer;

  beforeEach(() => {
    ranges = [];
    served = content;
    handle = (request, response) => {
      ranges.push(request.headers.range);
      if (request.headers.authorization !== `Bearer ${credential}`) return void response.writeHead(401).end();
      if (request.url !== `${DATA_PATHS.blobs}/${digest}`) return void response.writeHead(404).end();
      const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
      const headers = { 'content-length': served.length - from };
      if (from === 0) response.writeHead(200, headers);
      else response.writeHead(206, { ...headers, 'content-range': `bytes ${from}-${served.length - 1}/${served.length}` });
      response.end(served.subarray(from));
    };
  });

  const download = (
    changes: { digest?: Digest; identity?: BearerIdentity } = {},
    onWait: (error: FederationError) => void = () => undefined,
  ) =>
    downloadBlob(
      {
        coordinatorUrl: proxy.url,
        identity,
        digest,
        bytes: content.length,
        path: join(folder, 'models', 'version'),
        stallMs: 500,
        ...changes,
      },
      { signal: new AbortController().signal, backoff, onWait },
    );

  it('asks only for what is missing after a cut', async () => {
    proxy.cutAfter('down', 2 * 1024 ** 2);
    await download();
    expect(Buffer.compare(await readFile(join(folder, 'models', 'version')), content)).toBe(0);
    expect(ranges).toHaveLength(2);
    expect(Number(/bytes=(\d+)-/.exec(ranges[1] ?? '')?.[1])).toBeGreaterThan(1024 ** 2);
    await download();
    expect(ranges).toHaveLength(2); // already here
  });

  it('goes on with what an earlier process fetched, and digests that too', async () => {
    await mkdir(join(folder, 'models'));
    await writeFile(join(folder, 'models', 'version.partial'), content.subarray(0, 4_000_000));
    await download();
    expect(ranges).toEqual(['bytes=4000000-']);
    expect(Buffer.compare(await readFile(join(folder, 'models', 'version')), content)).toBe(0);
  });

  it('begins anew where something answers the whole file to a range', async () => {
    await mkdir(join(folder, 'models'));
    await writeFile(join(folder, 'models', 'version.partial'), content.subarray(0, 4_000_000));
    handle = (_request, response) => void response.writeHead(200, { 'content-length': content.length }).end(content);
    await download();
    expect(Buffer.compare(await readFile(join(folder, 'models', 'version')), content)).toBe(0);
  });

  it('takes a chunked answer too', async () => {
    handle = (_request, response) => {
      response.writeHead(200).write(content.subarray(0, 1_000_000));
      response.end(content.subarray(1_000_000));
    };
    await download();
    expect(Buffer.compare(await readFile(join(folder, 'models', 'version')), content)).toBe(0);
  });

  it('fetches a file named by BLAKE3', async () => {
    const named = digestOfBytes(content, 'blake3');
    handle = (_request, response) => void response.writeHead(200, { 'content-length': content.length }).end(content);
    await download({ digest: named });
    expect(Buffer.compare(await readFile(join(folder, 'models', 'version')), content)).toBe(0);
  });

  it.each([
    ['a page of another length', { 'content-length': 5 }, 'hello'],
    ['another version', { etag: `"${digestOfBytes('other')}"`, 'content-length': content.length }, content],
    ['compressed bytes', { 'content-encoding': 'gzip', 'content-length': content.length }, content],
  ])('takes no byte of %s that something on the way answers', async (_what, headers, body) => {
    const serve = handle;
    const waits: string[] = [];
    handle = (_request, response) => {
      handle = serve;
      response.writeHead(200, headers).end(body);
    };
    await download({}, (error) => waits.push(error.code));
    expect(waits).toEqual(['TRANSFER_BROKEN']);
    expect(ranges).toEqual([undefined]); // nothing of it was kept
  });

  it('gives up a connection on which nothing comes, and goes on', async () => {
    const serve = handle;
    handle = (_request, response) => {
      handle = serve;
      response.writeHead(200, { 'content-length': content.length }).write(content.subarray(0, 1_000_000));
    };
    await download();
    expect(ranges).toEqual(['bytes=1000000-']);
  });

  it('gives up on bytes that keep arriving altered, and leaves no file', async () => {
    served = Buffer.from(content);
    served[5] = (served[5] ?? 0) ^ 1;
    await expect(download()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(stat(join(folder, 'models', 'version'))).rejects.toThrow();
    expect(ranges).toHaveLength(3);
  });

  it('throws a refusal', async () => {
    const serve = handle;
    handle = (_request, response) => {
      const report = { code: 'CREDENTIAL_REFUSED', message: 'this site was revoked', retryable: false, details: {} };
      response.writeHead(401, { 'content-type': 'application/json' }).end(JSON.stringify(report));
    };
    await expect(download()).rejects.toMatchObject({ message: 'this site was revoked' });
    handle = serve;
    await expect(download({ identity: new BearerIdentity('wrong') })).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
    await expect(download({ digest: digestOfBytes('other') })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

/** The size once nothing is added any more: the receiving end writes the last chunks after the connection is gone. */
async function sizeWhenQuiet(path: string): Promise<number> {
  let before = -1;
  for (;;) {
    const { size } = await stat(path);
    if (size === before) return size;
    before = size;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
