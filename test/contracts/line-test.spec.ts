import { request } from 'node:http';
import { DATA_PATHS, lineTestAnswerSchema, MOST_LINE_TEST_BYTES } from '@consilium/shared/wire';
import { enrolSites } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import type { RawSite } from '../fixtures/raw-site.js';

describe('where a site tests its line', () => {
  let coordinator: TestCoordinator;
  let site: RawSite;

  beforeAll(async () => {
    coordinator = await TestCoordinator.open();
    [site] = (await enrolSites(coordinator, 'aare')) as [RawSite];
  });
  afterAll(async () => {
    site.disconnect();
    await coordinator.remove();
  });

  const send = (body: Uint8Array, credential = site.credential, contentType = 'application/octet-stream'): Promise<Response> =>
    fetch(coordinator.url + DATA_PATHS.lineTest, {
      method: 'POST',
      headers: { authorization: `Bearer ${credential}`, 'content-type': contentType },
      body: Buffer.from(body),
    });

  it('counts what comes and keeps nothing', async () => {
    const answer = await send(new Uint8Array(3_000_000));
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(lineTestAnswerSchema.parse(await answer.json()).receivedBytes).toBe(3_000_000);
    expect(lineTestAnswerSchema.parse(await (await send(new Uint8Array(0))).json())).toMatchObject({ receivedBytes: 0 });
  });

  it('is for sites alone', async () => {
    for (const credential of ['wrong', coordinator.operatorToken])
      expect((await send(new Uint8Array(10), credential)).status).toBe(401);
  });

  it('takes no more than it says, and nothing whose size is not announced', async () => {
    const askFor = (headers: Record<string, string | number>): Promise<number | undefined> =>
      new Promise((resolve, reject) => {
        const asked = request(coordinator.url + DATA_PATHS.lineTest, {
          method: 'POST',
          headers: { authorization: `Bearer ${site.credential}`, 'content-type': 'application/octet-stream', ...headers },
        });
        asked.on('response', ({ statusCode }) => resolve(statusCode)).on('error', reject);
        asked.write('x');
        asked.on('response', () => asked.destroy());
      });
    expect(await askFor({ 'content-length': MOST_LINE_TEST_BYTES + 1 })).toBe(400);
    expect(await askFor({ 'transfer-encoding': 'chunked' })).toBe(400);
  });

  it('slows down whoever tests all the time', async () => {
    const statuses: number[] = [];
    for (let test = 0; test < 12; test++) statuses.push((await send(new Uint8Array(1))).status);
    expect(statuses.at(-1)).toBe(429);
    expect(statuses.filter((status) => status !== 200 && status !== 429)).toEqual([]);
  });
});
