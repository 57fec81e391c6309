import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore } from '@tus/file-store';
import { Server as TusServer } from '@tus/server';
import { type Digest, digestOfBytes } from '@consilium/shared/kernel';
import { DATA_PATHS } from '@consilium/shared/wire';
import { CuttingProxy } from '../../../test/fixtures/cutting-proxy.js';
import type { BackoffPlan } from './backoff.js';
import { downloadBlob } from './resumable-download.js';
import { uploadFile, type UploadOrder } from './resumable-upload.js';

const backoff: BackoffPlan = { firstMs: 20, capMs: 200, floorMs: 5 };
const content = randomBytes(6 * 1024 ** 2);
const digest = digestOfBytes(content);
const credential = 'secret';

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
    credential,
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

  const download = (changes: { digest?: Digest; credential?: string } = {}) =>
    downloadBlob(
      {
        coordinatorUrl: proxy.url,
        credential,
        digest,
        bytes: content.length,
        path: join(folder, 'models', 'version'),
        ...changes,
      },
      { signal: new AbortController().signal, backoff },
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

  it('gives up on bytes that keep arriving altered, and leaves no file', async () => {
    served = Buffer.from(content);
    served[5] = (served[5] ?? 0) ^ 1;
    await expect(download()).rejects.toMatchObject({ code: 'DIGEST_MISMATCH' });
    await expect(stat(join(folder, 'models', 'version'))).rejects.toThrow();
    expect(ranges).toHaveLength(3);
  });

  it('throws a refusal', async () => {
    await expect(download({ credential: 'wrong' })).rejects.toMatchObject({ code: 'CREDENTIAL_REFUSED' });
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
