import { request as askHttp } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Socket as TcpSocket } from 'node:net';
import { digestOfBytes } from '@consilium/shared/kernel';
import { Manager } from 'socket.io-client';
import { DATA_PATHS } from '@consilium/shared/wire';
import { enrolSites, plan } from '../fixtures/made-campaign.js';
import { TestCoordinator } from '../fixtures/open-test-coordinator.js';
import { askOperator, eventually, type RawSite } from '../fixtures/raw-site.js';

/** From the range that is kept for documentation: nobody's. */
const FAR = { 'x-forwarded-for': '203.0.113.7' };

describe('limits of the coordinator', () => {
  let coordinator: TestCoordinator;
  const sites: RawSite[] = [];
  const lines: TcpSocket[] = [];

  async function open(settings: Readonly<Record<string, string>>): Promise<void> {
    coordinator = await TestCoordinator.open({ settings });
  }

  afterEach(async () => {
    for (const line of lines.splice(0)) line.destroy();
    for (const site of sites.splice(0)) site.disconnect();
    await coordinator.remove();
  });

  async function enrol(...names: string[]): Promise<RawSite[]> {
    const enrolled = await enrolSites(coordinator, ...names);
    sites.push(...enrolled);
    return enrolled;
  }

  async function refusals(): Promise<Record<string, number>> {
    const headers = { authorization: `Bearer ${coordinator.operatorToken}` };
    const text = await (await fetch(`${coordinator.url}/metrics`, { headers })).text();
    const rows = text.matchAll(/^consilium_too_many_total\{excess="([a-z-]+)"\} (\d+)$/gm);
    return Object.fromEntries([...rows].map(([, excess = '', count]): [string, number] => [excess, Number(count)]));
  }

  describe('on an address', () => {
    it('hear so many requests, then say when the next may come; other addresses are heard', async () => {
      await open({ requestsPerAddress: '1' });
      const ask = (headers: Record<string, string>): Promise<Response> => fetch(`${coordinator.url}/healthz`, { headers });
      const { refused, heard } = await untilStatus(429, () => ask(FAR));
      expect(heard).toBeGreaterThanOrEqual(10);
      expect(Number(refused.headers.get('retry-after'))).toBe(1);
      expect(await refused.json()).toMatchObject({ code: 'TOO_MANY_REQUESTS', retryable: true, details: { excess: 'requests' } });
      expect((await ask({ 'x-forwarded-for': '203.0.113.8' })).status).toBe(200);
      expect((await ask({})).status).toBe(200);
      expect((await refusals())['requests']).toBeGreaterThan(0);
      await untilStatus(200, () => ask(FAR));
    });

    it('hold for uploads and for connections of sites, too', async () => {
      await open({ requestsPerAddress: '1' });
      const ask = (path: string) => (): Promise<Response> => fetch(`${coordinator.url}${path}`, { headers: FAR });
      await untilStatus(429, ask('/healthz'));
      await untilStatus(429, ask(DATA_PATHS.uploads));
      await untilStatus(403, ask('/socket.io/?EIO=4&transport=polling'));
      expect(await enrol('aare')).toHaveLength(1); // from this machine: not limited
    });

    it('believe no stranger’s word on where he calls from', async () => {
      await open({ requestsPerAddress: '1', trustedProxies: 'none' });
      let count = 0;
      await untilStatus(429, () =>
        fetch(`${coordinator.url}/healthz`, { headers: { 'x-forwarded-for': `203.0.113.${count++}` } }),
      );
    });

    it('let it hold so many connections; a further one is closed, and one that ends makes room', async () => {
      await open({ connectionsPerAddress: '3', trustedProxies: 'none' });
      const held = [await dial(), await dial(), await dial()];
      expect(await isClosed(await dial())).toBe(true);
      held[0]?.destroy();
      expect(await eventually(async () => !(await isClosed(await dial(), 200)) || undefined)).toBe(true);
    });
  });

  it('close connections beyond the number that may be open in all', async () => {
    await open({ connectionsAtOnce: '4' });
    for (let count = 0; count < 4; count++) await dial();
    expect(await isClosed(await dial())).toBe(true);
  });

  describe('on slow callers', () => {
    it('cut a head that drips in, and a connection that says nothing', async () => {
      await open({ requestTimeout: '1s' });
      const [dripping, silent] = [await dial(), await dial()];
      dripping.write('GET /healthz HTTP/1.1\r\nHost: localhost\r\n');
      const drip = setInterval(() => dripping.writable && dripping.write(`X-More: ${Date.now()}\r\n`), 100);
      expect(await Promise.all([isClosed(dripping, 3_000), isClosed(silent, 3_000)])).toEqual([true, true]);
      clearInterval(drip);
    });

    it('cut a body that drips in, also of long polling', async () => {
      await open({ requestTimeout: '1s' });
      const { sid } = JSON.parse(
        (await (await fetch(`${coordinator.url}/socket.io/?EIO=4&transport=polling`)).text()).slice(1),
      ) as { sid: string };
      const poll = `/socket.io/?EIO=4&transport=polling&sid=${sid}`;
      for (const path of [DATA_PATHS.enrolment, poll]) {
        const startedMs = performance.now();
        const status = await drip(`${coordinator.url}${path}`);
        expect([undefined, 408, 400]).toContain(status);
        expect(performance.now() - startedMs).toBeLessThan(4_000);
      }
    });

    it('cut an upload that drips in, keep what has arrived, and let it be resumed', async () => {
      await open({ uploadStall: '500ms', requestTimeout: '300ms' });
      const [site] = await enrol('aare', 'limmat');
      if (site === undefined) throw new Error('two sites');
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs'));
      const { participationId } = await site.trainAssignment(1);
      const bytes = new Uint8Array(10_000).fill(32); // what drip sends
      const created = await site.createUpload(participationId, digestOfBytes(bytes), bytes.length);
      const location = created.headers.get('location') ?? '';
      const startedMs = performance.now();
      await drip(`${coordinator.url}${location}`, 'PATCH', {
        'tus-resumable': '1.0.0',
        'upload-offset': '0',
        'content-type': 'application/offset+octet-stream',
        'content-length': String(bytes.length),
        authorization: `Bearer ${site.credential}`,
      });
      expect(performance.now() - startedMs).toBeGreaterThan(450); // the time for other requests is not that of uploads
      expect(performance.now() - startedMs).toBeLessThan(4_000);
      const offset = await site.offsetOf(location);
      expect(offset).toBeGreaterThan(0);
      expect((await site.append(location, offset, bytes.subarray(offset))).status).toBe(204);
    });

    it('close a connection of socket.io that does not say who it is', async () => {
      await open({ requestTimeout: '1s' });
      const line = new Manager(coordinator.url, { transports: ['websocket'], reconnection: false });
      expect(await new Promise((resolve) => line.once('close', resolve))).toBe('transport close');
    });
  });

  it('refuse bodies, heads and messages beyond what any of ours needs', async () => {
    await open({});
    const [site] = await enrol('aare');
    const big = 'x'.repeat(300 * 1024);
    const body = JSON.stringify({ token: big });
    const posted = await fetch(`${coordinator.url}${DATA_PATHS.enrolment}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    expect(posted.status).toBe(400);
    expect(await posted.json()).toMatchObject({ code: 'MESSAGE_REFUSED' });
    expect((await fetch(`${coordinator.url}/healthz`, { headers: { 'x-big': 'x'.repeat(20_000) } })).status).toBe(431);
    const socket = site?.socket;
    const ended = new Promise((resolve) => socket?.once('disconnect', resolve));
    socket?.emit('site:sync', { restsForMs: big });
    expect(await ended).toBe('transport close');
  });

  describe('on a site', () => {
    it('bound its requests, in number and at a time', async () => {
      await open({ requestsPerSite: '1' });
      const [site] = await enrol('aare');
      const headers = { authorization: `Bearer ${site?.credential}` };
      const { heard } = await untilStatus(429, () => fetch(`${coordinator.url}${DATA_PATHS.campaigns}`, { headers }));
      expect(heard).toBeGreaterThanOrEqual(10);
      expect((await refusals())['requests']).toBeGreaterThan(0);
    });

    it('answer so many of its requests at a time', async () => {
      await open({ requestsAtOncePerSite: '2', uploadStall: '5s' });
      const [site] = await enrol('aare', 'limmat');
      if (site === undefined) throw new Error('two sites');
      await askOperator(coordinator, 'POST', '/api/campaigns', plan('lungs'));
      const { plan: round } = await site.trainAssignment(1);
      const statuses = await Promise.all(Array.from({ length: 30 }, async () => (await site.download(round.base.digest)).status));
      expect(new Set(statuses)).toEqual(new Set([200, 429]));
      expect((await refusals())['requests-at-once']).toBeGreaterThan(0);
      expect((await site.download(round.base.digest)).status).toBe(200);
    });

    it('refuse messages beyond its rate with an answer, hear it again later, and end a flood', async () => {
      await open({ messagesPerSite: '5' });
      const [site, other] = await enrol('aare', 'limmat');
      if (site === undefined || other === undefined) throw new Error('two sites');
      const { socket } = site;
      const answers = await Promise.all(Array.from({ length: 60 }, () => site.ask('site:sync', {})));
      expect(answers.filter(({ ok }) => ok).length).toBeGreaterThanOrEqual(50);
      expect(answers.at(-1)).toMatchObject({ ok: false, error: { code: 'TOO_MANY_REQUESTS', retryable: true } });
      expect(await eventually(async () => (await site.ask('site:sync', {})).ok || undefined)).toBe(true);

      const refused = new Promise<unknown>((resolve) => socket?.once('site:refused', resolve));
      for (let count = 0; count < 1_000; count++) socket?.emit('whatever', { count });
      expect(await refused).toMatchObject({ code: 'TOO_MANY_REQUESTS' });
      expect(await other.ask('site:sync', {})).toMatchObject({ ok: true });
      expect((await refusals())['messages']).toBeGreaterThan(500);
    });
  });

  /** A connection of its own, on which nothing has been said. */
  async function dial(): Promise<TcpSocket> {
    const line = connect(Number(new URL(coordinator.url).port), '127.0.0.1');
    lines.push(line);
    line.on('error', () => undefined);
    await new Promise((resolve) => line.once('connect', resolve));
    return line;
  }
});

function isClosed(line: TcpSocket, withinMs = 2_000): Promise<boolean> {
  line.resume();
  if (line.destroyed || line.readableEnded) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), withinMs);
    for (const event of ['close', 'end']) {
      line.once(event, () => {
        clearTimeout(timer);
        resolve(true);
      });
    }
  });
}

/** Asks again and again: the first answer with the status, and how many came before it. */
async function untilStatus(status: number, ask: () => Promise<Response>): Promise<{ refused: Response; heard: number }> {
  for (let heard = 0; heard < 500; heard++) {
    const response = await ask();
    if (response.status === status) return { refused: response, heard };
    await sleep(4);
  }
  throw new Error(`never ${status}`);
}

/** Sends a byte now and then until it is answered or cut: the status, or undefined when it was cut. */
function drip(
  url: string,
  method = 'POST',
  headers: Record<string, string> = { 'content-length': '10000' },
): Promise<number | undefined> {
  return new Promise((resolve) => {
    const asked = askHttp(url, { method, headers: { 'content-type': 'application/json', ...headers } });
    const timer = setInterval(() => asked.write(' '), 50);
    const end = (status: number | undefined): void => {
      clearInterval(timer);
      asked.destroy();
      resolve(status);
    };
    asked.on('response', ({ statusCode }) => end(statusCode));
    asked.on('error', () => end(undefined));
  });
}
