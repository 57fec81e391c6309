import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { statSync } from 'node:fs';
import { readFile, rm, stat, writeFile } from 'node:fs/promises';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { algorithmOf, DIGEST_ALGORITHMS, type Digest, digestOfBytes, Random } from '../../shared/src/kernel/index.js';
import { DATA_PATHS } from '../../shared/src/wire/index.js';
import { downloadBlob } from '../../site-agent/src/link/resumable-download.js';
import { uploadFile } from '../../site-agent/src/link/resumable-upload.js';
import { BearerIdentity } from '../../site-agent/src/link/request-identity.js';
import { CuttingProxy } from '../fixtures/cutting-proxy.js';
import { enrolSites, MODEL, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, type RawSite } from '../fixtures/raw-site.js';

const BACKOFF = { firstMs: 20, capMs: 200, floorMs: 5 };
/** A quarter of a million parameters: updates may have up to 3 times their bytes. */
const WIDER = { ...MODEL, width: 8 };
const BYTES = 12_000_000;
/** What requests may take beside the weights (heads of some hundred bytes), and what a cut may swallow on its way. */
const HEADS_BYTES = 16_384;
const SWALLOWED_BYTES = 512 * 1024;

describe('transfers between the site’s end and the coordinator’s, over a line that breaks', () => {
  let coordinator: TestCoordinator;
  let proxy: CuttingProxy;
  let site: RawSite;
  let update: string;
  const content = Buffer.alloc(BYTES);
  new Random('weights').fillUint32(new Uint32Array(content.buffer, content.byteOffset, BYTES / 4));

  /** Of each chunk that reached the coordinator: where it began, and how many bytes lay on disk just then. */
  let chunks: { offset: number; onDisk: number }[];
  const note = (message: unknown): void => {
    const { request } = message as { request: IncomingMessage };
    if (request.method !== 'PATCH') return;
    const path = join(coordinator.home, 'uploads', (request.url ?? '').split('/').at(-1) ?? '');
    chunks.push({ offset: Number(request.headers['upload-offset']), onDisk: statSync(path).size });
  };

  beforeEach(async () => {
    chunks = [];
    subscribe('http.server.request.start', note);
    coordinator = await TestCoordinator.open();
    const [enrolled] = await enrolSites(coordinator, 'site-a');
    if (enrolled === undefined) throw new Error('one site');
    site = enrolled;
    await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs', { model: WIDER, quorum: 1 }));
    proxy = await CuttingProxy.open(Number(new URL(coordinator.url).port));
    update = join(coordinator.home, 'update');
    await writeFile(update, content);
  });

  afterEach(async () => {
    unsubscribe('http.server.request.start', note);
    site.disconnect();
    await proxy.close();
    await coordinator.remove();
  });

  const upload = async (digest: Digest, changes: { onProgress?: (sent: number) => void; onWait?: () => void } = {}) => {
    const { participationId } = await site.trainAssignment(1);
    const { onProgress, onWait } = changes;
    return uploadFile(
      {
        ...{ coordinatorUrl: proxy.url, identity: new BearerIdentity(site.credential), participationId, digest, path: update },
        ...{ uploadId: undefined, onCreated: () => undefined, ...(onProgress === undefined ? {} : { onProgress }) },
      },
      { signal: new AbortController().signal, backoff: BACKOFF, ...(onWait === undefined ? {} : { onWait }) },
    );
  };

  const spooled = (uploadId: string): Promise<Buffer> => readFile(join(coordinator.home, 'uploads', uploadId));

  it.each(DIGEST_ALGORITHMS)('sends no accepted byte twice, wherever the line is cut (%s)', async (algorithm) => {
    const random = new Random(`cuts/${algorithm}`);
    let cuts = 0;
    proxy.cutAfter('up', random.integer(1, 3_000_000));
    const uploadId = await upload(digestOfBytes(content, algorithm), {
      onWait: () => {
        cuts++;
        proxy.cutAfter(random.integer(0, 3) === 0 ? 'down' : 'up', random.integer(1, 3_000_000));
      },
    });
    expect(cuts).toBeGreaterThan(2);
    expect(Buffer.compare(await spooled(uploadId), content)).toBe(0);
    expect(chunks.length).toBeGreaterThan(cuts);
    for (const { offset, onDisk } of chunks) expect(offset).toBe(onDisk);
    expect(proxy.bytesUp).toBeLessThan(BYTES + HEADS_BYTES + cuts * SWALLOWED_BYTES);
  });

  it('sends no accepted byte twice when the coordinator is started anew in the middle', async () => {
    let restarting: Promise<void> | undefined;
    const restart = async (): Promise<void> => {
      proxy.goDown();
      await coordinator.stop();
      await coordinator.start();
      await site.connect();
      proxy.restore(Number(new URL(coordinator.url).port));
    };
    const uploadId = await upload(digestOfBytes(content, 'blake3'), {
      onProgress: (sent) => {
        if (sent > BYTES / 2) restarting ??= restart();
      },
    });
    await restarting;
    expect(restarting).toBeDefined();
    expect(Buffer.compare(await spooled(uploadId), content)).toBe(0);
    for (const { offset, onDisk } of chunks) expect(offset).toBe(onDisk);
    expect(chunks.at(-1)?.offset).toBeGreaterThan(0);
    expect(proxy.bytesUp).toBeLessThan(BYTES + HEADS_BYTES + 8 * 1024 ** 2);
  });

  it('costs hardly more than the bytes themselves on a line that holds', async () => {
    await upload(digestOfBytes(content, 'blake3'));
    expect(proxy.bytesUp / BYTES).toBeLessThan(1.005);
  });

  it('fetches a version over a line that is cut, no byte on disk twice', async () => {
    const { base } = (await site.trainAssignment(1)).plan;
    const random = new Random('cut downloads');
    const path = join(coordinator.home, 'fetched');
    let cuts = 0;
    proxy.cutAfter('down', random.integer(1, 1_000_000));
    const order = { coordinatorUrl: proxy.url, identity: new BearerIdentity(site.credential), ...base, path };
    const onWait = (): void => {
      if (++cuts < 5) proxy.cutAfter('down', random.integer(1, 1_000_000));
    };
    await downloadBlob(order, { signal: new AbortController().signal, backoff: BACKOFF, onWait });
    expect(cuts).toBeGreaterThanOrEqual(3);
    expect(digestOfBytes(await readFile(path), algorithmOf(base.digest))).toBe(base.digest);
    await expect(stat(`${path}.partial`)).rejects.toThrow();
    expect(proxy.bytesDown).toBeLessThan(base.bytes + HEADS_BYTES + cuts * SWALLOWED_BYTES);
    await rm(path);
  });

  it('answers ranges as HTTP says, and never compresses weights', async () => {
    const { base } = (await site.trainAssignment(1)).plan;
    const whole = await answerOf(base.digest, {});
    const ask = async (headers: Record<string, string>) => {
      const { response, body } = await answerOf(base.digest, headers);
      return { status: response.statusCode, range: response.headers['content-range'], body };
    };
    const { bytes } = base;
    expect(whole.body.length).toBe(bytes);
    const last = { status: 206, range: `bytes ${bytes - 9}-${bytes - 1}/${bytes}`, body: whole.body.subarray(-9) };
    expect(await ask({ range: 'bytes=-9' })).toEqual(last);
    expect(await ask({ range: `bytes=${bytes - 9}-` })).toEqual(last);
    expect(await ask({ range: 'bytes=3-5' })).toEqual({
      status: 206,
      range: `bytes 3-5/${bytes}`,
      body: whole.body.subarray(3, 6),
    });
    expect(await ask({ range: `bytes=${bytes}-` })).toEqual({ status: 416, range: `bytes */${bytes}`, body: Buffer.alloc(0) });
    expect((await ask({ range: 'bytes=3-5', 'if-range': `"${base.digest}"` })).status).toBe(206);
    expect((await ask({ range: 'bytes=3-5', 'if-range': '"another"' })).status).toBe(200);
    const gzip = await answerOf(base.digest, { 'accept-encoding': 'gzip, br, deflate' });
    expect(gzip.response.headers).toMatchObject({ 'content-length': String(bytes), etag: `"${base.digest}"` });
    expect(gzip.response.headers['content-encoding']).toBeUndefined();
    expect(gzip.response.headers['cache-control']).toContain('no-transform');
    expect(Buffer.compare(gzip.body, whole.body)).toBe(0);
    const head = await fetch(`${coordinator.url}${DATA_PATHS.blobs}/${base.digest}`, {
      method: 'HEAD',
      headers: { authorization: `Bearer ${site.credential}` },
    });
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(bytes)]);
  });

  /** Without fetch, which unpacks by itself. */
  async function answerOf(digest: Digest, headers: Record<string, string>): Promise<{ response: IncomingMessage; body: Buffer }> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const url = `${coordinator.url}${DATA_PATHS.blobs}/${digest}`;
      get(url, { headers: { authorization: `Bearer ${site.credential}`, ...headers } }, resolve).on('error', reject);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { response, body: Buffer.concat(chunks) };
  }
});
