import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { FederationError } from '@consilium/shared/kernel';
import type { SiteFolder } from '../config/site-folder.js';
import type { AgentStatus } from './agent-status.js';
import { readStatusFile, removeStatusFile, writeStatusFile } from './status-file.js';

export interface StatusPage {
  readonly port: number;
  close(): Promise<void>;
}

/** GET http://127.0.0.1:PORT/status answers with an {@link AgentStatus}; the port stands in the status file. PORT_BUSY when taken. */
export async function openStatusPage(folder: SiteFolder, port: number, status: () => AgentStatus): Promise<StatusPage> {
  const page = createServer((request, response) => answer(request, response, status));
  const opened = await new Promise<number>((resolve, reject) => {
    page.once('error', (cause) => reject(portBusy(port, cause)));
    page.listen(port, '127.0.0.1', () => {
      const address = page.address();
      resolve(address !== null && typeof address === 'object' ? address.port : port);
    });
  });
  writeStatusFile(folder, { pid: process.pid, port: opened });
  return {
    port: opened,
    close: async () => {
      removeStatusFile(folder);
      page.closeAllConnections();
      await new Promise((resolve) => page.close(resolve));
    },
  };
}

/** The status of the agent that runs in this home, or undefined when none answers. */
export async function fetchStatus(folder: SiteFolder): Promise<AgentStatus | undefined> {
  const file = readStatusFile(folder);
  if (file === undefined) return undefined;
  try {
    const response = await fetch(`http://127.0.0.1:${file.port}/status`, { signal: AbortSignal.timeout(3000) });
    const status = (await response.json()) as AgentStatus;
    // Another program may have got the port of a killed agent.
    return status.pid === file.pid ? status : undefined;
  } catch {
    return undefined;
  }
}

function answer(request: IncomingMessage, response: ServerResponse, status: () => AgentStatus): void {
  // A web page in a browser on this computer could reach the port under a name of its own: loopback names only.
  const isLocal = /^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? '');
  if (!isLocal || request.method !== 'GET' || request.url !== '/status') {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store' }).end(JSON.stringify(status()));
}

function portBusy(port: number, cause: Error): FederationError {
  return new FederationError('PORT_BUSY', `the loopback port ${port} for the status page cannot be opened`, {
    cause,
    details: { port },
    remedy: 'Choose another port with statusPort in site.yaml, or 0 for any free one.',
  });
}
