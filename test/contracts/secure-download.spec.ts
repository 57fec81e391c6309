import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { digestOfBytes } from '../../shared/src/kernel/index.js';

const built = (name: string): string => JSON.stringify(pathToFileURL(join('site-agent', 'dist', 'link', name)));
const PROGRAM = `
  import { downloadBlob } from ${built('resumable-download.js')};
  import { BearerIdentity } from ${built('request-identity.js')};
  const stop = new AbortController();
  const onWait = (error) => { console.error(error.message); stop.abort(); };
  await downloadBlob({ ...JSON.parse(process.argv[1]), identity: new BearerIdentity('c') }, { signal: stop.signal, onWait }).catch(() => process.exit(1));
`;

/** The built agent's download in a process of its own: who is trusted is settled when a process starts. */
function download(order: object, environment: Record<string, string>): Promise<{ status: number | null; told: string }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, JSON.stringify(order)], {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let told = '';
  child.stderr.on('data', (text) => (told += String(text)));
  return new Promise((resolve) => child.on('close', (status) => resolve({ status, told })));
}

describe('a download by https', () => {
  let folder: string;
  beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'secure-'))));
  afterEach(() => rmSync(folder, { recursive: true }));

  it('brings every byte from a coordinator whose certificate is trusted for its name, and none from another', async () => {
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'authority.pem')];
    const words = 'req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost';
    if (spawnSync('openssl', [...words.split(' '), '-keyout', key, '-out', cert]).status !== 0) {
      return void process.stderr.write('passed over, openssl is not installed\n');
    }
    const content = randomBytes(12 * 1024 ** 2 + 5);
    let asked = 0;
    const listener = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_request, response) => {
      asked++;
      response.writeHead(200, { 'content-length': content.length }).end(content);
    });
    await new Promise<void>((resolve) => listener.listen(0, resolve));
    try {
      const { port } = listener.address() as AddressInfo;
      const [path, digest] = [join(folder, 'version'), digestOfBytes(content)];
      const order = { coordinatorUrl: `https://localhost:${port}`, digest, bytes: content.length, path };
      const unknown = await download(order, {});
      expect(unknown).toMatchObject({ status: 1, told: expect.stringContaining('DEPTH_ZERO_SELF_SIGNED_CERT') as string });
      const trusting = { NODE_EXTRA_CA_CERTS: cert };
      const otherName = await download({ ...order, coordinatorUrl: `https://127.0.0.1:${port}` }, trusting);
      expect(otherName).toMatchObject({ status: 1, told: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') as string });
      expect(asked).toBe(0);
      expect(await download(order, trusting)).toEqual({ status: 0, told: '' });
      expect(Buffer.compare(readFileSync(path), content)).toBe(0);
      expect(asked).toBe(1);
    } finally {
      listener.closeAllConnections();
      await new Promise((resolve) => listener.close(resolve));
    }
  });
});
