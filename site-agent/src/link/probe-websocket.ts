import { Manager } from 'socket.io-client';
import { reasonOfConnectError } from './connect-error.js';
import type { OutgoingLine } from './outgoing-line.js';
import { socketAddress } from './socket-address.js';

/** Why no WebSocket can be opened to the coordinator, in words; undefined when one can. */
export function probeWebSocket(coordinatorUrl: string, line: OutgoingLine, withinMs = 5000): Promise<string | undefined> {
  const { origin, options } = socketAddress(coordinatorUrl, line);
  const once = { reconnection: false, autoConnect: false, transports: ['websocket'], timeout: withinMs };
  const manager = new Manager(origin, { ...options, ...once });
  return new Promise((resolve) => {
    manager.open((error) => {
      manager._close();
      resolve(error === undefined ? undefined : reasonOfConnectError(error));
    });
  });
}
