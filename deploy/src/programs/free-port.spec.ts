import { once } from 'node:events';
import { createServer } from 'node:net';
import { freePort } from './free-port.js';

/** What the system gives to whoever asks for none in particular. */
async function systemPort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  await new Promise((closed) => listener.close(closed));
  return port;
}

it('gives ports that can be listened on, below those that the system gives', async () => {
  const listeners = [];
  const ports = new Set<number>();
  for (let count = 0; count < 50; count++) {
    const port = await freePort();
    const listener = createServer().listen(port, '127.0.0.1');
    await once(listener, 'listening');
    listeners.push(listener);
    ports.add(port);
  }
  expect(ports.size).toBe(50); // one that is listened on is passed over
  expect(Math.max(...ports)).toBeLessThan(await systemPort());
  expect(Math.min(...ports)).toBeGreaterThan(1024);
  for (const listener of listeners) listener.close();
});
