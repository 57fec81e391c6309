import { createServer, type Server as HttpServer } from 'node:http';
import { type Namespace, Server } from 'socket.io';
import { SITE_NAMESPACE } from '@consilium/shared/wire';
import { CuttingProxy } from '../../../test/fixtures/cutting-proxy.js';
import type { LinkState } from './coordinator-link.js';
import { BearerIdentity } from './request-identity.js';
import { SocketLink, type SocketLinkOptions } from './socket-link.js';

type Answer = (value: unknown) => void;

let http: HttpServer;
let io: Server;
let site: Namespace;
let proxy: CuttingProxy;
let link: SocketLink;
let states: LinkState['kind'][];

async function listen(): Promise<number> {
  http = createServer();
  io = new Server(http);
  site = io.of(SITE_NAMESPACE);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const address = http.address();
  return address !== null && typeof address === 'object' ? address.port : 0;
}

beforeEach(async () => {
  proxy = await CuttingProxy.open(await listen());
});

afterEach(async () => {
  link.close();
  await proxy.close();
  await io.close();
});

function open(changes: Partial<SocketLinkOptions> = {}): SocketLink {
  link = new SocketLink({
    coordinatorUrl: proxy.url,
    identity: new BearerIdentity('secret'),
    agentVersion: '0.1.0',
    backoff: { firstMs: 20, capMs: 50, floorMs: 5 },
    answerTimeoutMs: 300,
    duplicateGraceMs: { first: 0, again: 10_000 },
    ...changes,
  });
  states = [];
  link.onState(({ kind }) => states.push(kind));
  link.open();
  return link;
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
}

function refuseWith(code: string): (socket: unknown, next: (error?: Error) => void) => void {
  return (_socket, next) =>
    next(Object.assign(new Error(code), { data: { code, message: `refused: ${code}`, retryable: false, details: {} } }));
}

describe('socket link', () => {
  it('says in words that nothing listens', async () => {
    open({ coordinatorUrl: 'http://127.0.0.1:2' });
    const reasons: string[] = [];
    link.onState((state) => state.kind === 'waiting' && reasons.push(state.reason));
    await until(() => reasons.length > 0);
    expect(reasons[0]).toBe('nothing listens at its address, ECONNREFUSED');
  });

  it('shows who it is, asks and is nudged', async () => {
    let handshake: unknown;
    site.on('connection', (socket) => {
      handshake = socket.handshake.auth;
      socket.on('site:sync', (_body: unknown, answer: Answer) => answer({ ok: true, value: { assignment: null } }));
      socket.on('participation:accept', (_body: unknown, answer: Answer) =>
        answer({ ok: false, error: { code: 'ROUND_CLOSED', message: 'closed', retryable: false, details: {} } }),
      );
    });
    let nudges = 0;
    open().onNudge(() => nudges++);
    await until(() => link.state.kind === 'connected');
    expect(handshake).toEqual({
      protocolVersion: 2,
      protocolVersions: { oldest: 1, newest: 2 },
      credential: 'secret',
      agentVersion: '0.1.0',
    });
    await expect(link.sync()).resolves.toBeNull();
    await expect(link.accept('p1')).rejects.toMatchObject({ code: 'ROUND_CLOSED', retryable: false });
    await expect(link.fail('p1', 'OUT_OF_MEMORY')).rejects.toMatchObject({ code: 'COORDINATOR_UNREACHABLE', retryable: true });
    site.emit('site:nudge');
    await until(() => nudges === 1);
  });

  it('refuses answers that are not in the protocol', async () => {
    site.on('connection', (socket) => {
      socket.on('site:sync', (_body: unknown, answer: Answer) => answer({ ok: true, value: { assignment: { kind: 'train' } } }));
    });
    open();
    await until(() => link.state.kind === 'connected');
    await expect(link.sync()).rejects.toMatchObject({ code: 'MESSAGE_REFUSED' });
  });

  it('comes back by itself when the coordinator was away', async () => {
    proxy.goDown();
    open();
    await until(() => states.filter((kind) => kind === 'waiting').length >= 3);
    await expect(link.sync()).rejects.toMatchObject({ code: 'COORDINATOR_UNREACHABLE' });
    proxy.restore();
    await until(() => link.state.kind === 'connected');
    proxy.goDown();
    await until(() => link.state.kind === 'waiting');
    proxy.restore();
    await until(() => link.state.kind === 'connected');
  });

  it.each(['CREDENTIAL_REFUSED', 'PROTOCOL_VERSION', 'SITE_ALREADY_CONNECTED'])('stops at %s, with a remedy', async (code) => {
    site.use(refuseWith(code));
    open();
    await until(() => link.state.kind === 'refused');
    expect(link.state).toMatchObject({ error: { code, remedy: expect.any(String) as string } });
    const dials = proxy.connections;
    await new Promise((resolve) => setTimeout(resolve, 150));
    expect(proxy.connections).toBe(dials);
  });

  describe('with a coordinator of another protocol version', () => {
    let dialled: unknown[];
    let requests: unknown[];
    let protocols: number[];

    /** Accepts the given version only; whoever knows ranges welcomes with the version that it chose. */
    const speak = (version: number, welcome?: number): void => {
      site.use((socket, next) => {
        const { protocolVersion } = socket.handshake.auth as { protocolVersion: number };
        dialled.push(protocolVersion);
        if (welcome !== undefined || protocolVersion === version) return next();
        const details = { theirs: protocolVersion, ours: version };
        next(Object.assign(new Error('refused'), { data: { code: 'PROTOCOL_VERSION', message: '', retryable: false, details } }));
      });
      site.on('connection', (socket) => {
        if (welcome !== undefined) socket.emit('site:welcome', { protocolVersion: welcome, later: 'words' });
        socket.on('site:sync', (body: unknown, answer: Answer) => {
          requests.push(body);
          answer({ ok: true, value: { assignment: null } });
        });
      });
    };

    beforeEach(() => {
      dialled = [];
      requests = [];
      protocols = [];
    });
    const openTelling = (): SocketLink => open({ onProtocol: (version) => protocols.push(version) });

    it('speaks the older one at once, keeps to it, and leaves out what that does not know', async () => {
      speak(1);
      openTelling();
      await until(() => link.state.kind === 'connected');
      await link.sync(1000);
      proxy.goDown();
      proxy.restore();
      await until(() => states.filter((kind) => kind === 'connected').length === 2);
      await link.sync(1000);
      expect([dialled, protocols, requests]).toEqual([[2, 1, 1], [1], [{}, {}]]);
      expect(states.slice(0, 3)).toEqual(['connecting', 'connecting', 'connected']);
    });

    it('follows when that is upgraded, and speaks the newer one from then on', async () => {
      speak(1);
      openTelling();
      await until(() => link.state.kind === 'connected');
      proxy.goDown();
      await io.close();
      const port = await listen();
      speak(2, 2);
      proxy.restore(port);
      await until(() => protocols.length === 2);
      await link.sync(1000);
      expect([dialled, protocols, requests]).toEqual([[2, 1, 1], [1, 2], [{ restsForMs: 1000 }]]);
    });

    it('gives up when that speaks none of ours', async () => {
      speak(9);
      openTelling();
      await until(() => link.state.kind === 'refused');
      expect(link.state).toMatchObject({ error: { code: 'PROTOCOL_VERSION' } });
      expect(dialled).toEqual([2]);
    });

    it('gives up when that refuses what it has asked for', async () => {
      site.use((socket, next) => {
        const { protocolVersion } = socket.handshake.auth as { protocolVersion: number };
        dialled.push(protocolVersion);
        const report = { code: 'PROTOCOL_VERSION', message: '', retryable: false, details: { ours: 3 - protocolVersion } };
        next(Object.assign(new Error('refused'), { data: report }));
      });
      openTelling();
      await until(() => link.state.kind === 'refused');
      expect(dialled).toEqual([2, 1]);
    });
  });

  it('stops when the refusal comes as an event', async () => {
    site.on('connection', (socket) => {
      socket.emit('site:refused', { code: 'CREDENTIAL_REFUSED', message: 'revoked', retryable: false, details: {} });
      socket.disconnect(true);
    });
    open();
    await until(() => link.state.kind === 'refused');
  });

  it('takes "already connected" after a cut for its own dead connection at first', async () => {
    open();
    await until(() => link.state.kind === 'connected');
    let refusals = 2;
    site.use((socket, next) => {
      if (refusals-- > 0) refuseWith('SITE_ALREADY_CONNECTED')(socket, next);
      else next();
    });
    proxy.goDown();
    proxy.restore();
    await until(() => link.state.kind === 'connected' && refusals < 0);
    expect(states).not.toContain('refused');
  });
});
