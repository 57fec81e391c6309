import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { DATA_PATHS } from '@consilium/shared/wire';
import type { LimitSettings } from '../config/limit-settings.js';
import type { RequestLimits } from './request-limits.js';

/** Node.js looks at its connections only so often; a slow one is cut within a quarter more than its time. */
const LOOKS_PER_TIMEOUT = 4;

/**
 * Bounds what connections can hold: how many there are, in all and from one address, and how long a request may take to arrive.
 * Uploads take as long as they need and have a rule of their own (`uploadStall`). To be called when all who answer requests are
 * registered: what comes first sees every request.
 */
export function limitConnections(server: Server, settings: LimitSettings, limits: RequestLimits): void {
  const { requestTimeoutMs, connectionsAtOnce, connectionsPerAddress } = settings;
  server.headersTimeout = requestTimeoutMs;
  server.requestTimeout = 0;
  // Read when the server begins to listen; only its constructor's option is documented.
  Object.assign(server, { connectionsCheckingInterval: Math.ceil(requestTimeoutMs / LOOKS_PER_TIMEOUT) });
  server.maxConnections = connectionsAtOnce;
  server.on('drop', () => limits.countRefusal('connections'));
  limitPerAddress(server, connectionsPerAddress, limits);
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    if (!isUpload(request)) cutIfSlow(request, response, requestTimeoutMs);
  });
}

/** What http and https tell of a connection before TLS: one that never finishes its handshake counts as well. */
function limitPerAddress(server: Server, most: number, limits: RequestLimits): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const address = socket.remoteAddress;
    if (address === undefined || limits.isTrusted(address)) return;
    const before = open.get(address) ?? 0;
    if (before >= most) {
      limits.countRefusal('connections');
      socket.destroy();
      return;
    }
    open.set(address, before + 1);
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

function cutIfSlow(request: IncomingMessage, response: ServerResponse, withinMs: number): void {
  const cut = (): void => {
    if (request.complete) return;
    if (response.headersSent) request.destroy();
    else response.writeHead(408, { Connection: 'close' }).end(() => request.destroy());
  };
  const timer = setTimeout(cut, withinMs);
  for (const event of ['end', 'close']) request.once(event, () => clearTimeout(timer));
}

function isUpload({ url = '' }: IncomingMessage): boolean {
  return url === DATA_PATHS.uploads || url.startsWith(`${DATA_PATHS.uploads}/`);
}
