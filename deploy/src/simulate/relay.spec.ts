import { createServer, type Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { Relay } from './relay.js';

const BODY = 'x'.repeat(200_000);

describe('Relay', () => {
  let target: Server;
  let relay: Relay;

  beforeEach(async () => {
    target = createServer((request, response) => {
      request.resume().on('end', () => response.end(BODY));
    });
    await new Promise<void>((settle) => target.listen(0, '127.0.0.1', settle));
    const address = target.address();
    if (address === null || typeof address === 'string') throw new Error('a TCP listener has a port');
    relay = await Relay.open(address.port);
  });

  afterEach(async () => {
    await relay.close();
    target.closeAllConnections();
    await new Promise((settle) => target.close(settle));
  });

  const send = async (): Promise<number> => (await (await fetch(relay.url, { method: 'POST', body: BODY })).text()).length;

  it('carries bytes both ways and counts them', async () => {
    expect(await send()).toBe(BODY.length);
    for (const bytes of [relay.bytesUp, relay.bytesDown]) {
      expect(bytes).toBeGreaterThan(BODY.length);
      expect(bytes).toBeLessThan(BODY.length + 2000);
    }
  });

  it('refuses while it is cut and carries again afterwards', async () => {
    relay.become('cut');
    await expect(send()).rejects.toThrow('fetch failed');
    relay.become('open');
    expect(await send()).toBe(BODY.length);
  });

  it('holds everything back while it is silent, and then delivers it', async () => {
    relay.become('silent');
    let isDone = false;
    const sent = send().finally(() => (isDone = true));
    await sleep(150);
    expect(isDone).toBe(false);
    expect(relay.bytesDown).toBe(0);
    relay.become('open');
    expect(await sent).toBe(BODY.length);
  });
});
